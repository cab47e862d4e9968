"""curl -Z putting a tree, 64 in parallel: writes curl's list of files, then becomes curl.

python -m benchmarks.curl_put DIRECTORY URL
python -m benchmarks.curl_put DIRECTORY URL md5sum      with md5sum of the same files beside it
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from urllib.parse import quote

IN_FLIGHT = "64"


def main(directory: str, url: str, beside: str = "") -> int:
    paths = [os.path.join(folder, name) for folder, _, names in os.walk(directory) for name in names]
    listed = os.memfd_create("curl-list", flags=0)  # inherited, and gone with curl
    with os.fdopen(os.dup(listed), "w") as file:
        for path in paths:
            file.write(f'upload-file = "{path}"\nurl = "{url}{quote(os.path.relpath(path, directory))}"\n')
            file.write('output = "/dev/null"\n')
    curl = ("curl", "-s", "-S", "--fail", "-Z", "--parallel-max", IN_FLIGHT, "-K", f"/proc/self/fd/{listed}")
    if not beside:
        os.execvp("curl", curl)
    return side_by_side(curl, listed, ("xargs", "-0", "md5sum", "--"), "\0".join(paths).encode())


def side_by_side(curl: Sequence[str], listed: int, md5sum: Sequence[str], names: bytes) -> int:
    """Run both at once. The first exit code that is not 0."""
    with (
        subprocess.Popen(curl, pass_fds=[listed]) as uploading,
        subprocess.Popen(md5sum, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as hashing,
    ):
        hashing.communicate(names)
    return uploading.returncode or hashing.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
