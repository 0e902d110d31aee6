"""Stores that speak Amazon's protocol: layer 2. What all servers must be able to do, and what some can show."""

import tempfile
from pathlib import Path

from authority import Authority
from cases import SECRET, Scenario
from laboratory import ADDRESS
from nginx import Nginx
from processes import eventually
from proxies import HTTPProxy
from s3 import KEY, REGION, SeaweedFS, MinIO, Rclone
from s3 import SECRET as SECRET_KEY


class ServerScenario(Scenario):
    """One server for all tests of a class."""

    engine = None

    @classmethod
    def setUpClass(cls):
        if cls.engine:
            cls.server = cls.enterClassContext(cls.engine())

    def setUp(self):
        self.server.clear()

    def upstream(self, prefix="", bucket=None, **settings):
        return {"url": f"s3://{bucket or self.server.bucket}{prefix}", "endpoint": self.server.endpoint, **settings}

    def s3_shares(self, upstream=None, **settings):
        """What one machine builds, another gets."""
        return self.assert_shares(
            self.server, upstream or self.upstream(), "s3", **{**self.server.credentials, **settings})

    def assert_refused(self, pattern, upstream=None, secrets=(), **settings):
        """A build that the server refuses: one line, and nothing of what is secret."""
        upstream = upstream or self.upstream()
        one = self.installation(upstream, **{**self.server.credentials, **settings})
        line = self.assert_complaint(self.complaints_of_builds(one), upstream["url"], pattern)
        for secret in [SECRET_KEY, *secrets]:
            self.assertNotIn(secret, line)
            self.assertNotIn(secret, one.log())


class Common:
    def test_what_one_machine_builds_another_gets(self):
        self.s3_shares(self.upstream("/some/prefix"))
        for name in self.server.names():
            self.assertRegex(name, r"^some/prefix/plain/[a-z0-9-]+/[0-9a-f]+$")

    def test_a_team_with_a_secret(self):
        self.s3_shares(secret=SECRET)
        for name in self.server.names():
            self.assertRegex(name, r"^sealed-[0-9a-f]{16}/[a-z0-9-]+/[0-9a-f]+$")

    def test_a_machine_gets_back_what_it_had(self):
        one, _ = self.s3_shares()
        project = self.project()
        self.build_and_upload(one, self.server, project)
        one.wipe()
        build = project.build(one, "again")
        self.assertEqual(build.s3, build.lookups)

    def test_a_prefix_of_odd_characters(self):
        self.s3_shares(self.upstream("/a b+c=d/é"))
        self.assertEqual({name.split("/plain/")[0] for name in self.server.names()}, {"a b+c=d/é"})

    def test_large_objects(self):
        one, two = [self.installation(self.upstream(), secret=SECRET, **self.server.credentials).start()
                    for _ in range(2)]
        body = bytes(range(256)) * (48 << 12)
        one.put("large", body)
        eventually(self.server.names, "the upload")
        eventually(lambda: two.get("large") == body, "the object")
        for installation in (one, two):
            self.assertLess(installation.memory(), 60)

    def test_a_wrong_secret_key(self):
        self.assert_refused(
            "credentials|secret|signature|key", AWS_SECRET_ACCESS_KEY="wrong" + SECRET_KEY, secrets=["wrongSK"])

    def test_an_unknown_key(self):
        self.assert_refused("credentials|key", AWS_ACCESS_KEY_ID="AKIANOBODYNOBODYNOBO")

    def test_no_credentials(self):
        self.assert_refused(
            "credentials", AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None, AWS_EC2_METADATA_DISABLED="true")

    def test_a_bucket_that_is_not_there(self):
        self.assert_refused("bucket", self.upstream(bucket="nobodys"))


class SeaweedFSTests(Common, ServerScenario):
    engine = SeaweedFS

    def test_credentials_from_a_profile(self):
        upstream = self.upstream(profile="ci")
        given = dict.fromkeys(self.server.credentials)
        one, two = [self.installation(upstream, **given) for _ in range(2)]
        for installation in (one, two):
            installation.host.write(
                f"{installation.user.home}/.aws/credentials",
                "[default]\naws_access_key_id = other\naws_secret_access_key = other\n"
                f"[ci]\naws_access_key_id={KEY}\naws_secret_access_key = {SECRET_KEY}\n", mode=0o600)
            installation.host.write(
                f"{installation.user.home}/.aws/config", f"[default]\n[profile ci]\nregion = {REGION}\n")
        project = self.project()
        self.build_and_upload(one, self.server, project)
        self.assert_fetched(two, project, "s3", one)

    def test_the_profile_and_the_files_that_the_environment_names(self):
        given = dict.fromkeys(self.server.credentials)
        directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (directory / "keys").write_text(f"[x]\naws_access_key_id={KEY}\naws_secret_access_key={SECRET_KEY}\n")
        (directory / "keys").chmod(0o600)
        self.s3_shares(
            **given, AWS_PROFILE="x", AWS_SHARED_CREDENTIALS_FILE=str(directory / "keys"), AWS_DEFAULT_REGION=REGION)

    def test_the_endpoint_that_the_environment_names(self):
        self.s3_shares({"url": "s3://builds/x"}, AWS_ENDPOINT_URL_S3=self.server.endpoint)

    def test_a_clock_that_is_an_hour_off(self):
        for hours in (1, -1):
            with self.subTest(hours=hours):
                self.server.clear()
                one, two = [self.installation(self.upstream(), **self.server.credentials) for _ in range(2)]
                one.with_clock_shifted(hours * 3600)
                project = self.project()
                # It takes the server's time from the first refusal, so that the first questions may be misses.
                build = project.build(one, "tree")
                self.await_objects(self.server, build.stored)
                self.assert_fetched(two, project, "s3", one)

    def test_buckets_as_host_names_behind_a_proxy(self):
        """As at Amazon: no endpoint is given, the bucket is a part of the host's name, and TLS is spoken."""
        domain = SeaweedFS.domain
        authority = Authority(Path(self.enterContext(tempfile.TemporaryDirectory())))
        door = self.enterContext(Nginx(
            certificate=authority.certificate(f"*.{domain}", domain), backend=self.server.endpoint))
        hosts = [f"{self.server.bucket}.{domain}", domain]
        proxy = self.enterContext(HTTPProxy({host: (ADDRESS, door.port) for host in hosts}))
        upstream = {"url": f"s3://{self.server.bucket}/prefix", "region": "eu-west-1", "ca_file": str(authority.file)}
        self.s3_shares(upstream, HTTPS_PROXY=proxy.url, AWS_REGION=None)
        self.assertEqual(set(proxy.targets), {hosts[0]})


class MinIOTests(Common, ServerScenario):
    engine = MinIO

    def test_a_session_token(self):
        self.s3_shares(**self.server.session())

    def test_a_session_token_from_a_profile(self):
        given = self.server.session()
        directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (directory / "keys").write_text("[default]\n" + "".join(
            f"{name.lower()} = {value}\n" for name, value in given.items() if name != "AWS_REGION"))
        (directory / "keys").chmod(0o600)
        variables = {"AWS_REGION": REGION, "AWS_SHARED_CREDENTIALS_FILE": str(directory / "keys")}
        self.s3_shares(**{**dict.fromkeys(given), **variables})

    def test_a_bogus_session_token(self):
        given = self.server.session()
        bogus = "bogus" + given["AWS_SESSION_TOKEN"]
        self.assert_refused("credentials|token", **{**given, "AWS_SESSION_TOKEN": bogus}, secrets=[bogus])


class RcloneTests(Common, ServerScenario):
    engine = Rclone
