"""The message buses and the avahi-daemon of a host."""

from host import ROOT

SYSTEM_BUS = "/run/dbus/system_bus_socket"

# Everybody may do everything: who may is not what is tested, and within a user namespace there are no other users.
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>{kind}</type>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
    <allow send_requested_reply="true"/><allow receive_type="method_call"/><allow receive_type="signal"/>
    <allow receive_requested_reply="true"/><allow eavesdrop="true"/>
  </policy>
</busconfig>
"""

AVAHI = """[server]
host-name=h{number}
use-ipv4={ipv4}
use-ipv6={ipv6}
ratelimit-interval-usec=1000000
ratelimit-burst=1000
{settings}
[publish]
publish-hinfo=no
publish-workstation=no
"""


def start(host):
    """Starts what the machine is meant to have."""
    if not host.machine.dbus:
        return
    host.buses = [start_bus(host, "system", SYSTEM_BUS, ROOT)]
    for user in host.users:
        path = f"{user.runtime}/bus"
        host.buses.append(start_bus(host, "session", path, user))
        host.environment[user] = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={path}"}
    if host.machine.avahi:
        start_avahi(host)


def start_bus(host, kind, path, user):
    configuration = f"/run/{kind}-{user.name}.conf"
    host.write(configuration, BUS.format(kind=kind, path=path), user=ROOT)
    bus = host.spawn(
        ["dbus-daemon", "--nofork", "--nopidfile", "--print-address=1", f"--config-file={configuration}"], user=user)
    return bus


def start_avahi(host):
    """Starts avahi-daemon; also after it was ended."""
    host.buses[0].wait_for("unix:path=")
    machine = host.machine
    host.write("/run/avahi.conf", AVAHI.format(
        number=host.number, ipv4="yes" if machine.ipv4 else "no", ipv6="yes" if machine.ipv6 else "no",
        settings=machine.avahi_settings), user=ROOT)
    host.avahi = host.spawn(
        ["avahi-daemon", "--no-drop-root", "--no-chroot", "--no-rlimits", "--file=/run/avahi.conf"], user=ROOT)


def wait_until_up(host):
    if not host.machine.dbus:
        return
    for bus in host.buses:
        bus.wait_for("unix:path=")
    if host.machine.avahi:
        # Its name on the network has been probed.
        host.avahi.wait_for("Server startup complete")


def stop_avahi(host):
    """Ends it as the machine's shutdown would: it says goodbye."""
    host.as_root(["avahi-daemon", "--kill"])
    host.avahi.wait()
