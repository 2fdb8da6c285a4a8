"""Starts a listening echo_peer, says something to it, and expects to hear it again."""
import subprocess
import sys

listener = subprocess.Popen([sys.argv[1]], stdout=subprocess.PIPE, text=True)
try:
    address, key = listener.stdout.readline().split()
    answer = subprocess.run([sys.argv[1], address, key, "hello, peer"], capture_output=True, text=True, timeout=30)
    if answer.returncode != 0 or answer.stdout != "hello, peer\n":
        sys.exit(f"unexpected answer: {answer}")
finally:
    listener.kill()
    listener.wait()
