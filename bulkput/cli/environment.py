"""The variables and the files that bulkput reads: one table for `bulkput --help`, docs/options.md and the man pages.

A test says that every variable that the code asks for is here.
"""

VARIABLES = (
    ("OS_CLOUD", "Swift: name of a cloud in clouds.yaml to log in to."),
    (
        "OS_AUTH_URL, OS_<...>",
        "Swift: login by Keystone v3. OS_USERNAME, OS_PASSWORD and OS_PROJECT_NAME with their domains,"
        " OS_APPLICATION_CREDENTIAL_ID and _SECRET, or OS_TOKEN; OS_REGION_NAME and OS_INTERFACE. docs/keystone.md has"
        " all.",
    ),
    ("ST_AUTH, ST_USER, ST_KEY", "Swift: login by v1 auth. They are its URL, the user and the key."),
    (
        "OS_STORAGE_URL, OS_AUTH_TOKEN",
        "A Swift account and a token. They replace a login. Beside a login, the URL alone replaces the one that the"
        " server names.",
    ),
    ("OS_CACERT", "File of certificates to trust. They replace the system's."),
    ("OS_CERT, OS_KEY", "Files of a client certificate and its key, for servers that ask for one."),
    (
        "AWS_ACCESS_KEY_ID, AWS_<...>",
        "S3: a pair of keys. Beside it AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN if it is temporary. docs/s3.md has"
        " all variables.",
    ),
    (
        "AWS_PROFILE",
        "S3: profile of ~/.aws. It has keys, a role, SSO or a program, region and endpoint. AWS_CONFIG_FILE and"
        " AWS_SHARED_CREDENTIALS_FILE replace the files.",
    ),
    (
        "AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL",
        "S3: address of another S3 than Amazon's. AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true: Amazon's all the same.",
    ),
    (
        "AWS_REGION, AWS_DEFAULT_REGION",
        "S3: region of the bucket. By default it is us-east-1, and then what Amazon answers.",
    ),
    ("AWS_SKIP_SIGNATURE", "true: requests to S3 have no signature, for public buckets."),
    ("AWS_CA_BUNDLE", "S3: file of certificates to trust. They replace the system's."),
    (
        "BULKPUT_S3_SSE_C_KEY",
        "S3: your own key, with which the store encrypts objects. 32 bytes in Base64; the store does not keep it.",
    ),
    (
        "BULKPUT_SOURCE_<NAME>",
        "Login of the store that `upload` and `verify` read from, if that of the destination is another one:"
        " BULKPUT_SOURCE_OS_CLOUD, BULKPUT_SOURCE_AWS_PROFILE ... docs/store-to-store.md.",
    ),
    ("BULKPUT_HTTP_TOKEN", "Bearer token for http(s)://. It is sent to the server that the command writes to."),
    ("BULKPUT_HTTP_USER", "User for http(s)://. With BULKPUT_HTTP_PASSWORD, instead of a token."),
    ("BULKPUT_HTTP_PASSWORD", "Password for http(s)://."),
    (
        "BULKPUT_HTTP_TOKEN_<HOST>",
        "Token for one host. <HOST> is its name in capitals, with _ for other characters; _PORT may follow. User and"
        " password may have a host as well.",
    ),
    ("BULKPUT_TEMPURL", "Temporary URL, which tempurl:// stands for. It replaces a login."),
    ("BULKPUT_TEMPURL_KEY", "Key that `bulkput tempurl` signs with. By default it asks the store for it."),
    ("BULKPUT_RATE_TOKEN", "Secret word that `bulkput rate` and the runs with --rate-shared have in common."),
    ("BULKPUT_<OPTION>", "Value of an option, for every verb that has it. BULKPUT_MAX_ERRORS is --max-errors."),
    ("BULKPUT_PROFILE", "Profile of a configuration file to use."),
    ("BULKPUT_NO_CONFIG", "1: read no configuration file."),
    ("XDG_CONFIG_HOME", "Directory of the user's configuration. It replaces ~/.config."),
    ("NETRC", "File of logins for http(s)://. It replaces ~/.netrc."),
    (
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY",
        "Proxies. They are written http://[USER:PASSWORD@]HOST:PORT; names in small letters win.",
    ),
    (
        "NO_PROXY",
        "Hosts that are reached without a proxy. They are names, addresses and networks, separated by commas.",
    ),
    (
        "GITHUB_ACTIONS",
        "true: the run is one of GitHub Actions. Failures become annotations of its page, and no name becomes a"
        " command.",
    ),
    ("GITHUB_STEP_SUMMARY", "File of the page of a step, for --summary-md auto. GitHub Actions sets it."),
    ("GITHUB_WORKSPACE", "Directory that the files of annotations are relative to. GitHub Actions sets it."),
    ("GITLAB_CI", "true: the run is one of GitLab CI/CD. Its lines get a section of the log."),
    ("NO_COLOR, FORCE_COLOR", "Never colours, or always. By default they are used on terminals."),
    (
        "TMPDIR",
        "Directory for temporary files. They are names that are sorted on disk, notes of a mirror, the files of bench.",
    ),
)
"""Each row: the variables, and what they are for. `--help` has the first sentence only."""

FILES = (
    ("bulkput.toml", "--profile", "Options of a project, in its directory or one above."),
    ("~/.config/bulkput/config.toml", "--profile", "Options of a user, and profiles with aliases."),
    ("clouds.yaml, secure.yaml", "--cloud", "Clouds of OS_CLOUD: here, in ~/.config/openstack or /etc/openstack."),
    ("~/.aws/config, ~/.aws/credentials", "--insecure", "Profiles of the AWS command line: keys, region, endpoint."),
    ("~/.netrc", "--insecure", "Logins for http(s)://, if no variable has one."),
    ("FILE of --journal", "--journal", "SQLite database of what is uploaded. FILE-wal is beside it while a run lasts."),
)
"""Each row: the file, an option of the verbs that read it, and what is in it."""


def in_short() -> list[tuple[str, str]]:
    """The rows for `--help`."""
    return [(names, text.partition(". ")[0].rstrip(".") + ".") for names, text in VARIABLES]
