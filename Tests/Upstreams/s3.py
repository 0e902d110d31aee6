"""Servers that speak Amazon's protocol."""

import contextlib
import io
import os
import shutil
import tempfile
from pathlib import Path

from laboratory import ADDRESS, TOOLS, accepts, free_port
from processes import Running, eventually, run

from minio import Minio
from minio.credentials import AssumeRoleProvider, StaticProvider
from minio.minioadmin import MinioAdmin

KEY, SECRET = "AKIATESTTESTTESTTEST", "SKTESTsecret0/with+odd=characters00000000"
REGION = "us-east-1"


class S3Server(contextlib.AbstractContextManager):
    """Has one bucket, made when it starts. Subclasses say how to start what, which must listen on `port`."""

    domain = None

    def __init__(self, bucket="builds"):
        self.bucket = bucket

    def __enter__(self):
        self.top = Path(tempfile.mkdtemp(prefix="s3-"))
        self.port = free_port()
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, self.top, ignore_errors=True)
            self.running = Running(**self.command())
            stack.callback(self.running.stop)
            eventually(lambda: accepts(self.port) or not self.running.is_running, f"{self.running.command}")
            assert self.running.is_running, self.running.output
            self.client = Minio(self.host, KEY, SECRET, secure=False, region=REGION)
            eventually(lambda: self.is_ready() or not self.running.is_running, f"a bucket in {type(self).__name__}")
            assert self.running.is_running, self.running.output
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *details):
        return self.stack.__exit__(*details)

    def is_ready(self):
        """Makes the bucket, and sees that it takes objects."""
        try:
            if not self.client.bucket_exists(self.bucket):
                self.client.make_bucket(self.bucket)
            self.write("warm", b"up")
            self.client.remove_object(self.bucket, "warm")
            return True
        except Exception:
            return False

    @property
    def host(self):
        return f"{ADDRESS}:{self.port}"

    @property
    def endpoint(self):
        return f"http://{self.host}"

    @property
    def credentials(self):
        """What the environment of a build needs."""
        return {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION}

    # What the tests do behind its clients' backs

    def names(self):
        return [entry.object_name for entry in self.client.list_objects(self.bucket, recursive=True)]

    def objects(self):
        """Bodies by names."""
        found = {}
        for name in self.names():
            answer = self.client.get_object(self.bucket, name)
            found[name] = answer.read()
            answer.close()
            answer.release_conn()
        return found

    def write(self, name, body):
        self.client.put_object(self.bucket, name, io.BytesIO(body), len(body))

    def clear(self):
        for name in self.names():
            self.client.remove_object(self.bucket, name)


class SeaweedFS(S3Server):
    """Buckets also as names before `domain`."""

    domain = "s3.eu-west-1.amazonaws.com"

    def __exit__(self, *details):
        super().__exit__(*details)
        # Sockets it cannot be told to make elsewhere.
        for port in self.ports:
            for path in Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock"):
                path.unlink()

    def command(self):
        self.ports = ports = [free_port() for _ in range(8)]
        flags = {
            "master.port": ports[0], "master.port.grpc": ports[1], "volume.port": ports[2],
            "volume.port.grpc": ports[3], "filer.port": ports[4], "filer.port.grpc": ports[5],
            "s3.port": self.port, "s3.port.grpc": ports[6], "metricsPort": ports[7], "s3.port.iceberg": 0,
            "dir": self.top, "ip": ADDRESS, "ip.bind": ADDRESS, "filer": "true", "s3": "true",
            "s3.config": self.top / "s3.json", "s3.domainName": self.domain, "s3.autoCreateBucket": "false",
            "filer.localSocket": self.top / "filer.sock", "s3.localSocket": self.top / "s3.sock",
            "master.volumeSizeLimitMB": 64, "volume.max": 50, "volume.preStopSeconds": 0}
        (self.top / "s3.json").write_text(
            '{"identities":[{"name":"test","credentials":[{"accessKey":"%s","secretKey":"%s"}],'
            '"actions":["Admin","Read","Write","List","Tagging"]}]}' % (KEY, SECRET))
        return {"command": [str(TOOLS / "weed" / "weed"), "-logtostderr=true", "server",
                            *[f"-{name}={value}" for name, value in flags.items()]]}


class MinIO(S3Server):
    """The server's own front end, over files: `juicefs gateway`."""

    USER, USER_SECRET = "builder", "builder-secret-99"

    def command(self):
        juicefs, database = str(TOOLS / "juicefs" / "juicefs"), f"sqlite3://{self.top}/meta.db"
        run([juicefs, "format", "--storage", "file", "--bucket", f"{self.top}/files/", "--no-update", database, "test"])
        return {
            "command": [juicefs, "gateway", "--no-usage-report", "--multi-buckets", "--keep-etag", "--object-meta",
                        "--cache-size", "0", "--cache-dir", str(self.top / "cache"), database, self.host],
            "env": {**os.environ, "MINIO_ROOT_USER": KEY, "MINIO_ROOT_PASSWORD": SECRET, "HOME": str(self.top)}}

    def session(self):
        """The environment for temporary credentials, as a role's."""
        admin = MinioAdmin(endpoint=self.host, credentials=StaticProvider(KEY, SECRET), region=REGION, secure=False)
        admin.user_add(self.USER, self.USER_SECRET)
        admin.policy_set("readwrite", user=self.USER)
        given = AssumeRoleProvider(
            sts_endpoint=self.endpoint, access_key=self.USER, secret_key=self.USER_SECRET, region=REGION,
            role_arn="arn:aws:iam::1:role/any", role_session_name="build").retrieve()
        return {"AWS_ACCESS_KEY_ID": given.access_key, "AWS_SECRET_ACCESS_KEY": given.secret_key,
                "AWS_SESSION_TOKEN": given.session_token, "AWS_REGION": REGION}


class Rclone(S3Server):
    """A server with quirks: ranges are answered with 200, and what does not match its digest is stored."""

    def command(self):
        (self.top / "files").mkdir()
        return {"command": [str(TOOLS / "rclone" / "rclone"), "serve", "s3", "--addr", self.host, "--auth-key",
                            f"{KEY},{SECRET}", str(self.top / "files")],
                "env": {**os.environ, "RCLONE_CONFIG": str(self.top / "rclone.conf")}}
