"""A certificate authority of a team's own, which no system trusts."""

from processes import run


class Authority:
    """`file` is its certificate. Keys are in the directory it was given."""

    def __init__(self, directory):
        self.directory = directory
        self.file, self.key = directory / "corp.pem", directory / "corp.key"
        run(["openssl", "req", "-x509", *NEW_KEY, "-keyout", self.key, "-out", self.file, "-days", "2",
             "-subj", "/CN=The team's own authority", "-addext", "basicConstraints=critical,CA:TRUE"])

    def certificate(self, *names):
        """Files of a certificate for names and addresses, and of its key."""
        stem = names[0].replace("*", "any")
        request, key, file = [self.directory / f"{stem}.{suffix}" for suffix in ("csr", "key", "pem")]
        extension = self.directory / f"{stem}.ext"
        kinds = ["IP" if name.replace(".", "").isdigit() else "DNS" for name in names]
        extension.write_text(
            "subjectAltName=" + ",".join(f"{kind}:{name}" for kind, name in zip(kinds, names)) + "\n")
        run(["openssl", "req", "-new", *NEW_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={names[0]}"])
        run(["openssl", "x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.key, "-CAcreateserial",
             "-out", file, "-days", "2", "-extfile", extension])
        return file, key


NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
