/// This program's version, as `--version` shows it.
package let fabrikVersion = "0.1.0"
