#!/usr/bin/env python3
"""Two hosts on this machine, joined by a network that delays, loses and parts: network namespaces with a TUN device each,
and a process that carries the packets between them. (What `tc netem` does; it needs no module of the kernel.)

  with Hosts(delay_s=0.2, loss=0.01) as hosts: hosts.start("a", ["program"], environment); hosts.cut(); hosts.mend()

Host a is 10.77.0.1, host b 10.77.0.2; each has a host name of its own, and a loopback interface. Needs root and /dev/net/tun.
"""
import fcntl
import heapq
import os
import pathlib
import random
import select
import shutil
import signal
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000


def why_not():
    """Why this machine cannot do it; "" if it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not shutil.which("ip", path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
        return "not installed: ip (iproute2)"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    made = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    return "" if made.returncode == 0 else "network namespaces are not allowed here"


def carry(names, delay_s, loss, seed):
    """Carries packets between two TUN devices, made here, until it is killed. SIGUSR1 parts the hosts, SIGUSR2 mends."""
    descriptors = []
    for name in names:
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
        descriptors.append(descriptor)
    is_cut = [False]
    signal.signal(signal.SIGUSR1, lambda *_: is_cut.__setitem__(0, True))
    signal.signal(signal.SIGUSR2, lambda *_: is_cut.__setitem__(0, False))
    print("ready", flush=True)
    chance = random.Random(seed)
    under_way, number = [], 0
    while True:
        wait_s = max(0.0, under_way[0][0] - time.monotonic()) if under_way else 1.0
        for source in select.select(descriptors, [], [], wait_s)[0]:
            try:
                packet = os.read(source, 65536)
            except OSError:
                continue
            if is_cut[0] or chance.random() < loss:
                continue
            number += 1
            target = descriptors[1 - descriptors.index(source)]
            heapq.heappush(under_way, (time.monotonic() + delay_s, number, target, packet))
        while under_way and under_way[0][0] <= time.monotonic():
            _, _, target, packet = heapq.heappop(under_way)
            if is_cut[0]:
                continue
            try:
                os.write(target, packet)
            except OSError:
                pass  # its device is gone, or full: lost as well


class Hosts:
    def __init__(self, delay_s=0.0, loss=0.0, seed=1):
        self.tag = f"lsw{os.getpid() % 100000}"
        self.link = None
        self.settings = [str(delay_s), str(loss), str(seed)]

    def namespace(self, host):
        return f"{self.tag}{host}"

    def __enter__(self):
        devices = [f"{self.tag}t{host}" for host in "ab"]
        self.link = subprocess.Popen([sys.executable, __file__, *devices, *self.settings], stdout=subprocess.PIPE)
        self.link.stdout.readline()
        for number, host in enumerate("ab", 1):
            name = self.namespace(host)
            folder = pathlib.Path("/etc/netns") / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "hosts").write_text("127.0.0.1 localhost\n10.77.0.1 hosta\n10.77.0.2 hostb\n")
            for command in (["netns", "add", name], ["link", "set", devices[number - 1], "netns", name],
                            ["-n", name, "link", "set", "lo", "up"],
                            ["-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", devices[number - 1]],
                            ["-n", name, "link", "set", devices[number - 1], "up"]):
                subprocess.run(["ip", *command], check=True)
        return self

    def __exit__(self, *_):
        for host in "ab":
            for pid in self.processes(host):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            subprocess.run(["ip", "netns", "del", self.namespace(host)], check=False)
            shutil.rmtree(f"/etc/netns/{self.namespace(host)}", ignore_errors=True)
        self.link.kill()
        self.link.wait()

    def inside(self, host, command):
        """The words that run a command on a host."""
        return ["ip", "netns", "exec", self.namespace(host), "unshare", "--uts", "sh", "-c",
                f'hostname host{host}; exec "$@"', "sh", *[str(word) for word in command]]

    def start(self, host, command, environment, output):
        with open(output, "wb") as stream:
            return subprocess.Popen(self.inside(host, command), env=environment, stdin=subprocess.DEVNULL, stdout=stream,
                                    stderr=stream, start_new_session=True)

    def cut(self):
        self.link.send_signal(signal.SIGUSR1)

    def mend(self):
        self.link.send_signal(signal.SIGUSR2)

    def processes(self, host, name=""):
        """Processes on a host; those of one program where it is named."""
        listed = subprocess.run(["ip", "netns", "pids", self.namespace(host)], capture_output=True, text=True, check=False)
        found = []
        for pid in listed.stdout.split():
            try:
                if not name or pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == name[:15]:
                    found.append(int(pid))
            except OSError:
                pass
        return found


if __name__ == "__main__":
    carry(sys.argv[1:3], float(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
