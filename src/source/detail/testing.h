// What the tests of this folder share: texts of policies, a pair of keys, a source and a transport
// by script, and a clock that is set. Nothing else includes it.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "https/transport.h"
#include "source/policy_source.h"
#include "source/public_key.h"

namespace ebbgate::source::testing {

// A policy of that version that allows that host.
[[nodiscard]] inline std::string policy_text(int version, const std::string& host = "a.example") {
  return "# ebbgate-version: " + std::to_string(version) +
         "\napiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {name: p}\n"
         "spec:\n  allow:\n    - hosts: [" +
         host + "]\n";
}

class KeyPair {
 public:
  KeyPair() : key_(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")) {}
  KeyPair(const KeyPair&) = delete;
  KeyPair& operator=(const KeyPair&) = delete;
  ~KeyPair() { EVP_PKEY_free(key_); }

  [[nodiscard]] std::string public_pem() const {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, key_);
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bio, &bytes);
    std::string out(bytes, static_cast<std::size_t>(size));
    BIO_free(bio);
    return out;
  }
  [[nodiscard]] PublicKey public_key() const { return PublicKey::parse(public_pem()).value(); }

  [[nodiscard]] std::string sign_raw(std::string_view text) const {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    std::string out(64, '\0');
    std::size_t size = out.size();
    EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key_);
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(out.data()), &size,
                   reinterpret_cast<const unsigned char*>(text.data()), text.size());
    EVP_MD_CTX_free(context);
    return out;
  }
  [[nodiscard]] std::string sign(std::string_view text) const {
    const std::string raw = sign_raw(text);
    std::string out(89, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(raw.data()), 64);
    out.resize(static_cast<std::size_t>(size));
    return out;
  }

 private:
  EVP_PKEY* key_;
};

// Answers what it is told to, at once.
class ScriptedTransport final : public https::Transport {
 public:
  using Answer = std::function<Result<https::Response>(const https::Request&)>;
  [[nodiscard]] net::Task<Result<https::Response>> send(https::Request request) override {
    seen.push_back(request);
    co_return answer(request);
  }
  Answer answer;
  std::vector<https::Request> seen;
};

class ScriptedSource final : public PolicySource {
 public:
  using Answer = std::function<Result<std::optional<Fetched>>(const std::string& token)>;
  explicit ScriptedSource(Answer answer) : answer_(std::move(answer)) {}
  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] net::Task<Result<std::optional<Fetched>>> fetch(std::string token) override {
    co_return answer_(token);
  }
  [[nodiscard]] net::Task<Result<std::string>> fetch_signature() override {
    if (signature) co_return *signature;
    co_return fail(Reason::kOriginInvalid, Side::kOrigin, "there is none");
  }
  std::optional<std::string> signature;

 private:
  std::string name_ = "ssm:///policy";
  Answer answer_;
};

class SetClock final : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override { return now; }
  WallTime now = WallTime(std::chrono::seconds(1'800'000'000));
};

// A directory that is gone at the end of its scope.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string path = (std::filesystem::temp_directory_path() / "ebbgate-source-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) std::abort();
    path_ = path;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace ebbgate::source::testing
