#!/usr/bin/env bash
# distributed 2026.8.0.
#
# `LocalCluster(dashboard_address=None)`, which its documentation names as the way to have no
# dashboard, has one: an HTTP server at port 8787. The second such cluster on a machine warns that
# the port is in use, and serves at a random one; where warnings are errors (as in many a test
# suite) it does not start.
#
# One would have guessed that no port is opened. ":0" gives a random port without a warning.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet distributed==2026.8.0
cat >"$folder/clusters.py" <<'PY'
import socket
import warnings

from distributed import LocalCluster


def cluster(address):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        made = LocalCluster(
            n_workers=0, host="127.0.0.1", dashboard_address=address,
            silence_logs=50,
        )
    warned = [str(one.message).splitlines()[0] for one in told if "Port" in str(one.message)]
    return made, made.scheduler.http_server.port, warned


if __name__ == "__main__":
    # Something else may hold the port; then the first cluster is what the second would be.
    first, port, warned = cluster(None)
    print("first: port", port, warned)
    assert (port == 8787) == (not warned)
    socket.create_connection(("127.0.0.1", port), timeout=10).close()
    for address, expected in ((None, ["Port 8787 is already in use."]), (":0", [])):
        second, port, warned = cluster(address)
        print("second, with", address, "warns" if warned else "says nothing", warned)
        assert port > 0 and port != 8787
        assert warned == expected
        second.close()
    first.close()
PY
"$folder/venv/bin/python" "$folder/clusters.py"
# Seen:
#   first: port 8787 []
#   second, with None warns ['Port 8787 is already in use.']
#   second, with :0 says nothing []
