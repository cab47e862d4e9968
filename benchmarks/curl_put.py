"""curl -Z putting a tree, 64 in parallel: writes curl's list of files, then becomes curl.

python -m benchmarks.curl_put DIRECTORY URL
"""

import os
import sys
import tempfile
from urllib.parse import quote

IN_FLIGHT = "64"


def main(directory: str, url: str) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="curl-list-", delete=False) as listed:
        for folder, _, names in os.walk(directory):
            for name in names:
                path = os.path.join(folder, name)
                listed.write(f'upload-file = "{path}"\nurl = "{url}{quote(os.path.relpath(path, directory))}"\n')
                listed.write('output = "/dev/null"\n')
    os.execlp("curl", "curl", "-s", "-S", "--fail", "-Z", "--parallel-max", IN_FLIGHT, "-K", listed.name)


if __name__ == "__main__":
    main(*sys.argv[1:])
