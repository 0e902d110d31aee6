"""nginx, which takes and gives files."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from laboratory import ADDRESS, accepts, free_port
from processes import Running, eventually

CONFIGURATION = """
daemon off;
# One process: it ends as a whole, and keeps the user who started it.
master_process off;
pid {top}/pid;
error_log {top}/error.log warn;
events {{ worker_connections 512; }}
http {{
  log_format brief '$request_method $request_uri $status $server_protocol "$http_user_agent"';
  access_log {top}/access.log brief;
  client_body_temp_path {files}/.body;
  proxy_temp_path {top}/proxy; fastcgi_temp_path {top}/fastcgi; uwsgi_temp_path {top}/uwsgi; scgi_temp_path {top}/scgi;
  client_max_body_size 0;
  default_type application/octet-stream;
  server {{
    listen {address}:{port}{flags};
    {tls}
    {credentials}
    location / {{ {content} }}
  }}
}}
"""
FILES = """
      root {files};
      dav_methods PUT DELETE;
      create_full_put_path on;
"""
BACKEND = """
      proxy_pass {backend};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_request_buffering off;
"""


class Logged(NamedTuple):
    method: str
    path: str
    status: int
    protocol: str
    agent: str


class Nginx(contextlib.AbstractContextManager):
    """A store of files below its URL, or the way to another server (`backend`, a URL). `certificate` are the files of a
    certificate and its key; `user` and `password`, or `token`, are what it wants to see; `files` is where the objects
    are, if not in a directory of its own."""

    def __init__(self, path="", certificate=None, http2=False, user=None, password=None, token=None, files=None,
                 backend=None, name=ADDRESS):
        self.path, self.certificate, self.http2 = path, certificate, http2
        self.user, self.password, self.token = user, password, token
        self.given_files, self.backend, self.name = files, backend, name

    def __enter__(self):
        self.top = Path(tempfile.mkdtemp(prefix="nginx-"))
        self.files = Path(self.given_files or self.top / "files")
        self.files.mkdir(exist_ok=True)
        self.port = free_port()
        (self.top / "nginx.conf").write_text(self.configuration())
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.top)

    def start(self):
        path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
        self.running = Running(
            [shutil.which("nginx", path=path) or "nginx", "-p", str(self.top), "-c", str(self.top / "nginx.conf"),
             "-e", str(self.top / "error.log")])
        eventually(lambda: accepts(self.port) or not self.running.is_running, "nginx")
        assert self.running.is_running, self.running.output

    def stop(self):
        self.running.stop()

    def configuration(self):
        tls = credentials = ""
        flags = ""
        if self.certificate:
            file, key = self.certificate
            flags = " ssl http2" if self.http2 else " ssl"
            tls = f"ssl_certificate {file}; ssl_certificate_key {key};"
        if self.user:
            (self.top / "users").write_text(f"{self.user}:{{PLAIN}}{self.password}\n")
            credentials = f"auth_basic store; auth_basic_user_file {self.top}/users;"
        if self.token:
            credentials = f'if ($http_authorization != "Bearer {self.token}") {{ return 401; }}'
        content = BACKEND.format(backend=self.backend) if self.backend else FILES.format(files=self.files)
        return CONFIGURATION.format(
            top=self.top, files=self.files, address=ADDRESS, port=self.port, flags=flags, tls=tls,
            credentials=credentials, content=content)

    @property
    def url(self):
        return f"{'https' if self.certificate else 'http'}://{self.name}:{self.port}{self.path}"

    def requests(self, *methods):
        """What the log says, oldest first."""
        lines = (self.top / "access.log").read_text().splitlines()
        words = [line.split(" ", 4) for line in lines]
        logged = [Logged(method, path, int(status), protocol, agent.strip('"'))
                  for method, path, status, protocol, agent in words]
        return [request for request in logged if not methods or request.method in methods]

    # What the tests do behind its clients' backs

    def objects(self):
        """Bodies by paths below the directory."""
        found = {}
        for path in self.files.rglob("*"):
            if path.is_file() and not path.is_relative_to(self.files / ".body"):
                found["/" + str(path.relative_to(self.files))] = path.read_bytes()
        return found

    def names(self):
        return list(self.objects())

    def write(self, name, body):
        """As a whole: what is read meanwhile is the old body or the new one."""
        target = self.files / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        new = self.top / "new"
        new.write_bytes(body)
        shutil.move(new, target)

    def clear(self):
        for path in self.files.iterdir():
            if path.name != ".body":
                shutil.rmtree(path)
