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

    """
}
