import LikesJSON

/// What likesctl prints with `--json`.
package typealias JSON = LikesJSON.JSON
