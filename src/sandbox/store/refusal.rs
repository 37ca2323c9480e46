//! Why an operation is refused.

/// A refusal: nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What kind of refusal, as `extensions.code` tells.
    pub code: Code,
    /// A sentence for people. It never repeats anybody's data.
    pub message: String,
}

/// The values of `extensions.code`. Only [`Authentication`](Self::Authentication) has `Auth` in its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// No valid token.
    Authentication,
    /// The token lacks a scope.
    PermissionDenied,
    /// The object that the call is about does not exist.
    NotFound,
    /// The arguments break a rule.
    Validation,
    /// The server failed.
    Internal,
}

impl Code {
    /// As clients read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "AuthenticationError",
            Self::PermissionDenied => "PermissionDenied",
            Self::NotFound => "NotFound",
            Self::Validation => "ValidationError",
            Self::Internal => "InternalServerError",
        }
    }
}

impl Refusal {
    /// The arguments break a rule.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self {
            code: Code::Validation,
            message: message.into(),
        }
    }

    /// The object that the call is about does not exist.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self {
            code: Code::NotFound,
            message: format!("{what} does not exist."),
        }
    }
}
