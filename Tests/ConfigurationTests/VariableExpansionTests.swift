import SystemSupport
import Testing

@testable import Configuration

@Suite("Variables in values")
struct VariableExpansionTests {
  private static let environment = Environment(["NAME": "value", "EMPTY": "", "TRICKY": "${NAME} $$ }"])

  @Test(
    "are replaced once, and never looked at again",
    arguments: [
      ("", ""), ("plain", "plain"), ("${NAME}", "value"), ("a${NAME}b${NAME}c", "avaluebvaluec"), ("$NAME", "$NAME"),
      ("$", "$"), ("a$", "a$"), ("$$", "$"), ("$${NAME}", "${NAME}"), ("$$$", "$$"), ("${TRICKY}", "${NAME} $$ }"),
      ("${NONE:-fallback}", "fallback"), ("${EMPTY:-fallback}", "fallback"), ("${NAME:-fallback}", "value"),
      ("${NONE:-}", ""), ("${NONE:-a:-b}", "a:-b"), ("${NONE:-$NAME}", "$NAME"), ("{NAME}", "{NAME}"),
    ])
  func expanded(text: String, result: String) throws {
    #expect(try VariableExpansion.expand(text, environment: Self.environment) == result)
  }

  @Test(
    "that cannot be replaced are explained",
    arguments: [
      ("${NONE}", "environment variable NONE is not set; set it, or give a default as in ${NONE:-value}"),
      ("${EMPTY}", "environment variable EMPTY is not set; set it, or give a default as in ${EMPTY:-value}"),
      ("a${NAME", "'${' without '}'; write '$$' for a dollar sign"),
      ("${", "'${' without '}'; write '$$' for a dollar sign"),
    ])
  func failure(text: String, message: String) {
    #expect(throws: VariableExpansion.Failure(message: message)) {
      try VariableExpansion.expand(text, environment: Self.environment)
    }
  }
}
