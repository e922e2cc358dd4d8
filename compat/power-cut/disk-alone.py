#!/usr/bin/env python3
"""What a power cut made with ext4's shutdown ioctl does to eight threads that append and fdatasync, without any broker.

For each cut it prints how many files lost bytes whose sync had ended without an error, twice: synced before the cut (never any),
and synced at all until the process was ended. The second is not always none: a sync that is under way at the cut may end well
although its bytes are gone. So run.sh counts only what was acknowledged before the cut. disk-alone.py [CUTS]; needs root.
"""

import fcntl
import os
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

SHUTDOWN, WITHOUT_FLUSHING_THE_JOURNAL = 0x8004587D, 2
PIECE = b"x" * 16384
FILES = 8


def append_and_sync(folder, out):
    """Appends to one file for each thread until a write or sync fails, and tells each synced length."""

    def run(name):
        file = os.open(f"{folder}/{name}", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        length = 0
        try:
            while True:
                length += os.write(file, PIECE)
                os.fdatasync(file)
                os.write(out, f"{name} {length}\n".encode())
        except OSError:
            pass

    threads = [threading.Thread(target=run, args=(str(name),)) for name in range(FILES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def lost(told, folder):
    """How many files are shorter than what was told of them."""
    synced = {}
    for line in told.decode().splitlines():
        name, length = line.split()
        synced[name] = int(length)
    return sum(os.path.getsize(f"{folder}/{name}") < length for name, length in synced.items())


def cut(work):
    disk, mount, told = f"{work}/disk", f"{work}/mount", f"{work}/told"
    os.makedirs(mount, exist_ok=True)
    with open(disk, "wb") as file:
        file.truncate(1 << 30)
    subprocess.run(["mkfs.ext4", "-qF", disk], check=True)
    subprocess.run(["mount", "-o", "loop", disk, mount], check=True)
    out = os.open(told, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_TRUNC)
    writer = os.fork()
    if writer == 0:
        append_and_sync(mount, out)
        os._exit(0)
    time.sleep(0.1 + int.from_bytes(os.urandom(2), "big") / 100_000)
    root = os.open(mount, os.O_RDONLY)
    before = os.path.getsize(told)
    fcntl.ioctl(root, SHUTDOWN, struct.pack("I", WITHOUT_FLUSHING_THE_JOURNAL))
    os.close(root)
    time.sleep(0.05)
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    subprocess.run(["umount", mount], check=True)
    subprocess.run(["mount", "-o", "loop", disk, mount], check=True)
    with open(told, "rb") as file:
        all_told = file.read()
    found = lost(all_told[:before], mount), lost(all_told, mount)
    subprocess.run(["umount", mount], check=True)
    return found


def main():
    cuts = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    in_time = at_all = 0
    with tempfile.TemporaryDirectory() as work:
        for number in range(1, cuts + 1):
            told_before, told = cut(work)
            in_time, at_all = in_time + (told_before > 0), at_all + (told > 0)
            print(f"cut {number}: {told_before} files lost what was synced before it, {told} what was said to be synced, ever", flush=True)
    print(f"of {cuts} cuts, {in_time} lost what was synced before, {at_all} what a sync under way said was synced")


main()
