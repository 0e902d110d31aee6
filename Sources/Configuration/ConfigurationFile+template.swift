extension ConfigurationFile {
  /// What `fabrik config init` writes: every key, commented out, with its default.
  package static let template = """
    # Fabrik's configuration for this project. Every key may be left out.
    # ${VAR} and ${VAR:-default} stand for environment variables.

    [cache]
    # Where build results are kept.
    # dir = "${HOME}/.cache/fabrik"
    # What was not used for longest is removed beyond this size.
    # Default: 10GB, or a fifth of the free disk if that is less.
    # max_size = "10GB"

    [exec]
    # How long the server stays after the last build. Default: 30s, and 0 where CI is set.
    # linger = "30s"
    # What is printed at the end: "none", "line" or "json".
    # stats = "line"
    # A file that also gets the statistics, as JSON.
    # stats_file = "fabrik-stats.json"
    # Tools that are not to be cached.
    # tools = { ccache = false }
    # Whether what the last build asked for is fetched before this one does. Default: true.
    # prefetch = true
    # Whether compilers that are called by their paths (/usr/bin/gcc) are cached, too. Default: true.
    # absolute_compilers = true
    # Swift: whether results fit other directories; #filePath and debuggers then see /^src. Default: false.
    # map_paths = true

    [p2p]
    # Whether builds fetch from other machines of the team, and these from this one. Default: false.
    # enabled = true
    # What the machines of the team have in common; 'fabrik p2p secret' makes one. Who has not set the variable takes no part.
    # secret = "${FABRIK_TEAM_SECRET:-}"
    # When you are asked whether a peer may fetch: "notify-once", "notify-always" or "always-allow".
    # consent = "notify-once"
    # Peers that need not be discovered, by their addresses.
    # peers = ["10.0.0.2:4711"]
    # The port on which peers are answered; 0: any.
    # port = 0
    # Network interfaces to use; none: all.
    # interfaces = []
    # What other machines call this one. Default: the host's name.
    # name = "desk"

    # Stores behind the peers, asked in this order: by HTTP (GET and PUT), or S3. Nothing is asked by default.
    # [[upstream]]
    # url = "https://cache.example.com/fabrik"
    # Whether nothing is written there.
    # read_only = false
    # The most that an answer is waited for.
    # timeout = "2s"
    # Certificates of the authority that signed the store's, in PEM.
    # ca_file = "corp.pem"
    # For stores that want "Authorization: Bearer".
    # token = "${CACHE_TOKEN}"
    # How objects are named there: "plain", or "bazel" for /ac/ and /cas/.
    # layout = "plain"

    # [[upstream]]
    # url = "s3://bucket/prefix"
    # region = "eu-central-1"
    # A store that is not Amazon's.
    # endpoint = "http://localhost:9000"
    # Whose credentials of ~/.aws are used.
    # profile = "default"

    """
}
