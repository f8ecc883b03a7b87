#!/bin/sh
# The life of the package in a Debian of its own, run inside it by package_test.py: it ends at the
# first step that is not as it should be. There is no systemd as process 1: where the scripts of the
# package would speak to it, a stand-in does what it would do, and notes what it was asked.
set -eu
step() { echo "== $*"; }
fail() { echo "FAILED: $*"; exit 1; }
serves() {  # a refused request is an answer too
  code=$(curl -s -o /dev/null -w '%{http_code}' --retry 20 --retry-connrefused --retry-delay 1 \
    -x http://127.0.0.1:3128 http://not-listed.test/ || true)
  [ "$code" = 403 ]
}

step "installed without systemd running, as in an image"
dpkg -i /old.deb
[ "$(ebbgate --version)" ] || fail "no version"
ebbgate check --config /etc/ebbgate/config.yaml || fail "the settings it comes with are invalid"
getent passwd ebbgate | grep -q /usr/sbin/nologin || fail "no user"
[ -L /etc/systemd/system/multi-user.target.wants/ebbgate.service ] || fail "not enabled"
dpkg --verify ebbgate || fail "files differ"
dpkg -s ebbgate | grep -q '^Static-Built-Using:.*openssl (= ' || fail "no Static-Built-Using"

step "an upgrade of a running gateway passes the listeners on"
mkdir -p /run/systemd/system /var/log/ebbgate
cat >/usr/local/bin/systemctl <<'END'
#!/bin/sh
echo "$*" >>/systemctl.log
case $* in
  *show*--property=MainPID*) cat /main.pid 2>/dev/null || echo 0 ;;
  *preset*) SYSTEMD_OFFLINE=1 exec /usr/bin/systemctl "$@" ;;
esac
END
chmod +x /usr/local/bin/systemctl
/usr/bin/ebbgate run --config /etc/ebbgate/config.yaml 2>/gateway.log &
old=$!
echo "$old" >/main.pid
serves || fail "the gateway does not serve"
echo 'tcp-keepalive: 30s' >>/etc/ebbgate/config.yaml # an edit that the upgrade has to keep
dpkg -i /new.deb
grep -q daemon-reload /systemctl.log || fail "no daemon-reload"
! grep -qE '(^| )(restart|stop)( |$)' /systemctl.log || fail "it was restarted"
grep -q 'tcp-keepalive: 30s' /etc/ebbgate/config.yaml || fail "the edit is lost"
for _ in $(seq 50); do
  new=$(grep -l '^Name:.ebbgate' /proc/[0-9]*/status | sed 's/[^0-9]//g' | grep -vx "$old" || true)
  kill -0 "$old" 2>/dev/null || [ -z "$new" ] || break
  sleep 0.1
done
[ "${new:-}" ] || { cat /gateway.log; fail "no successor"; }
serves || fail "the successor does not serve"
wait "$old" || fail "the old process failed"
echo "$new" >/main.pid

step "an upgrade to settings that are invalid leaves the old program running"
echo 'nonsense: 1' >>/etc/ebbgate/config.yaml
dpkg -i /new.deb 2>&1 | grep -q 'the running process is the old program' || fail "nothing was said"
sed -i '/nonsense/d' /etc/ebbgate/config.yaml
serves || fail "it does not serve any more"
kill "$new"

step "what is disabled stays so"
# As `systemctl disable` does; that one would ask the systemd that is not there.
DPKG_MAINTSCRIPT_PACKAGE=ebbgate deb-systemd-helper disable ebbgate.service
dpkg -i /old.deb
[ ! -L /etc/systemd/system/multi-user.target.wants/ebbgate.service ] || fail "enabled again"

step "removed: settings stay; purged: nothing does"
mkdir -p /var/lib/private/ebbgate/policy
ln -sn private/ebbgate /var/lib/ebbgate # as systemd makes it for a dynamic user
touch /var/log/ebbgate/access.log /var/lib/ebbgate/policy/cached
dpkg -r ebbgate
[ -f /etc/ebbgate/config.yaml ] || fail "the settings are gone"
[ ! -e /usr/bin/ebbgate ] || fail "the program is still there"
dpkg -P ebbgate
for left in /etc/ebbgate /var/log/ebbgate /var/lib/ebbgate /var/lib/private/ebbgate \
  /etc/logrotate.d/ebbgate /usr/share/doc/ebbgate /etc/systemd/system/ebbgate.service; do
  if [ -e "$left" ] || [ -L "$left" ]; then fail "$left is left"; fi
done

step "installed again after that"
dpkg -i /new.deb
[ -L /etc/systemd/system/multi-user.target.wants/ebbgate.service ] || fail "not enabled"
step fine
