"""S3: buckets, and objects in their versions, by path (http://endpoint/bucket/key) or by a host
name that begins with the bucket's."""

import base64
import email.utils
import hashlib
import ipaddress
import secrets
from urllib.parse import unquote

from .protocols import HEADER, AwsError, Flat, xml
from .service import Service
from .sts import iso
from ..wire import Response

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class Object:
    def __init__(self, body, version, now, headers=()):
        self.body, self.version, self.time, self.headers = body, version, now, list(headers)
        self.etag = '"' + hashlib.md5(body or b"").hexdigest() + '"'
        self.deleted = body is None  # a delete marker


class Bucket:
    def __init__(self, versioned=False):
        self.versioned, self.objects = versioned, {}  # key -> versions, oldest first


class S3(Service):
    scope, protocol = "s3", "s3"

    def __init__(self, emulator):
        super().__init__(emulator)
        self.buckets = {}

    def put(self, bucket, key, body):
        """For tests: an object (its bucket is made, versioned, where it is not); its version."""
        at = self.buckets.setdefault(bucket, Bucket(versioned=True))
        return self._store(at, key, body.encode() if isinstance(body, str) else body).version

    def parse(self, request):
        path = request.path
        host = request.header("host", "").rsplit(":", 1)[0]
        bucket = self._bucket_of_host(host)
        if bucket is None:
            bucket, _, key = path[1:].partition("/")
        else:
            key = path[1:]
        parameters = {"Bucket": unquote(bucket), "Key": unquote(key), "request": request,
                      **{name: value for name, value in request.query_pairs()}}
        if not bucket:
            return "ListBuckets", parameters
        if not key:
            for part in ("versioning", "location"):
                if part in parameters:
                    return {"GET": "Get", "PUT": "Put"}[request.method] + "Bucket" + (
                        part.capitalize()), parameters
            names = {"PUT": "CreateBucket", "HEAD": "HeadBucket", "GET": "ListObjectsV2",
                     "DELETE": "DeleteBucket"}
        else:
            names = {"PUT": "PutObject", "HEAD": "HeadObject", "GET": "GetObject",
                     "DELETE": "DeleteObject"}
        if request.method not in names:
            raise AwsError("MethodNotAllowed", "The specified method is not allowed against this "
                           "resource.", 405)
        return names[request.method], parameters

    def _bucket_of_host(self, host):
        try:
            ipaddress.ip_address(host.strip("[]"))
            return None
        except ValueError:
            bucket = host.split(".s3.")[0] if ".s3." in host else host.split(".")[0]
            return bucket if bucket in self.buckets else None

    def demands(self, operation, p):
        arn = f"arn:{self.emulator.partition}:s3:::{p['Bucket']}"
        if operation in ("GetObject", "HeadObject", "PutObject", "DeleteObject"):
            action = {"HeadObject": "GetObject"}.get(operation, operation)
            if "versionId" in p:
                action += "Version"
            return [("s3:" + action, f"{arn}/{p['Key']}", {})]
        action = {"ListObjectsV2": "ListBucket", "HeadBucket": "ListBucket",
                  "ListBuckets": "ListAllMyBuckets"}.get(operation, operation)
        return [("s3:" + action, arn if p["Bucket"] else "*", {})]

    def _bucket(self, p):
        bucket = self.buckets.get(p["Bucket"])
        if bucket is None:
            raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404,
                           BucketName=p["Bucket"])
        return bucket

    def _missing(self, p, error):
        """A caller who may not list the bucket is not told that a key does not exist."""
        arn = f"arn:{self.emulator.partition}:s3:::{p['Bucket']}"
        if self.caller and not self.emulator.iam.allows(
                self.caller.principal, "s3:ListBucket", arn):
            return AwsError("AccessDenied", "Access Denied", 403)
        return error

    def _object(self, p):
        versions = self._bucket(p).objects.get(p["Key"], [])
        wanted = p.get("versionId")
        if wanted is not None:
            for version in versions:
                if version.version == wanted:
                    if version.deleted:
                        raise AwsError("MethodNotAllowed", "The specified method is not allowed "
                                       "against this resource.", 405)
                    return version
            raise self._missing(p, AwsError("NoSuchVersion", "The specified version does not "
                                            "exist.", 404, Key=p["Key"], VersionId=wanted))
        if not versions or versions[-1].deleted:
            raise self._missing(p, AwsError("NoSuchKey", "The specified key does not exist.", 404,
                                            Key=p["Key"]))
        return versions[-1]

    def GetObject(self, p):
        found = self._object(p)
        headers = [("ETag", found.etag), ("Last-Modified", email.utils.formatdate(
            found.time, usegmt=True)), ("Accept-Ranges", "bytes"), *found.headers]
        if found.version != "null":
            headers.append(("x-amz-version-id", found.version))
        match = p["request"].header("if-match")
        if match is not None and found.etag not in (match, f'"{match}"'):
            raise AwsError("PreconditionFailed", "At least one of the pre-conditions you specified "
                           "did not hold", 412, Condition="If-Match")
        none = p["request"].header("if-none-match")
        if none is not None and (none == "*" or found.etag in [
                each.strip().removeprefix("W/") for each in none.split(",")]):
            return Response(304, headers)
        return Response(200, headers, found.body)

    HeadObject = GetObject

    def PutObject(self, p):
        bucket, request = self._bucket(p), p["request"]
        if len(p["Key"].encode()) > 1024:
            raise AwsError("KeyTooLongError", "Your key is too long")
        digest = request.header("content-md5")
        if digest is not None:
            if base64.b64decode(digest) != hashlib.md5(request.body).digest():
                raise AwsError("BadDigest", "The Content-MD5 you specified did not match what we "
                               "received.")
        current = bucket.objects.get(p["Key"], [])
        if request.header("if-none-match") == "*" and current and not current[-1].deleted:
            raise AwsError("PreconditionFailed", "At least one of the pre-conditions you specified "
                           "did not hold", 412, Condition="If-None-Match")
        match = request.header("if-match")
        if match is not None and (not current or current[-1].etag not in (match, f'"{match}"')):
            raise AwsError("PreconditionFailed", "At least one of the pre-conditions you specified "
                           "did not hold", 412, Condition="If-Match")
        kept = [(name, value) for name, value in request.headers
                if name == "content-type" or name.startswith("x-amz-meta-")]
        stored = self._store(bucket, p["Key"], request.body, kept)
        headers = [("ETag", stored.etag)]
        if bucket.versioned:
            headers.append(("x-amz-version-id", stored.version))
        return Response(200, headers)

    def _store(self, bucket, key, body, headers=()):
        version = secrets.token_urlsafe(24) if bucket.versioned else "null"
        versions = bucket.objects.setdefault(key, [])
        if not bucket.versioned:
            versions.clear()
        versions.append(Object(body, version, self.emulator.clock.now(), headers))
        return versions[-1]

    def DeleteObject(self, p):
        bucket = self._bucket(p)
        if "versionId" in p:
            versions = bucket.objects.get(p["Key"], [])
            versions[:] = [v for v in versions if v.version != p["versionId"]]
            return Response(204)
        if bucket.versioned:
            marker = self._store(bucket, p["Key"], None)
            return Response(204, [("x-amz-delete-marker", "true"),
                                  ("x-amz-version-id", marker.version)])
        bucket.objects.pop(p["Key"], None)
        return Response(204)

    def CreateBucket(self, p):
        if p["Bucket"] in self.buckets:
            raise AwsError("BucketAlreadyOwnedByYou", "Your previous request to create the named "
                           "bucket succeeded and you already own it.", 409,
                           BucketName=p["Bucket"])
        self.buckets[p["Bucket"]] = Bucket()
        return Response(200, [("Location", "/" + p["Bucket"])])

    def HeadBucket(self, p):
        self._bucket(p)
        return Response(200, [("x-amz-bucket-region", self.emulator.region)])

    def DeleteBucket(self, p):
        if self._bucket(p).objects:
            raise AwsError("BucketNotEmpty", "The bucket you tried to delete is not empty", 409)
        del self.buckets[p["Bucket"]]
        return Response(204)

    @staticmethod
    def _xml(name, inside):
        return Response(200, [("Content-Type", "application/xml")],
                        f'{HEADER}<{name} xmlns="{NAMESPACE}">{inside}</{name}>')

    def GetBucketLocation(self, p):
        self._bucket(p)
        return self._xml("LocationConstraint", self.emulator.region)

    def GetBucketVersioning(self, p):
        return self._xml("VersioningConfiguration", "<Status>Enabled</Status>"
                         if self._bucket(p).versioned else "")

    def PutBucketVersioning(self, p):
        self._bucket(p).versioned = b"<Status>Enabled</Status>" in p["request"].body
        return Response(200)

    def ListObjectsV2(self, p):
        prefix = p.get("prefix", "")
        found = [{"Key": key, "LastModified": iso(versions[-1].time), "ETag": versions[-1].etag,
                  "Size": len(versions[-1].body), "StorageClass": "STANDARD"}
                 for key, versions in sorted(self._bucket(p).objects.items())
                 if key.startswith(prefix) and versions and not versions[-1].deleted]
        return self._xml("ListBucketResult", xml({
            "Name": p["Bucket"], "Prefix": prefix, "KeyCount": len(found), "MaxKeys": 1000,
            "IsTruncated": False, "Contents": Flat(found)}))

    def ListBuckets(self, p):
        return self._xml("ListAllMyBucketsResult", xml({"Buckets": [
            {"Name": name, "CreationDate": iso(self.emulator.clock.now())}
            for name in sorted(self.buckets)]}, "Bucket"))
