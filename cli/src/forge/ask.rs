//! One question to a forge's API: who asks, how long it waits, and what counts as no.

use std::time::Duration;

use serde_json::Value;
use ureq::http::{Method, Request, Response};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::{Forge, ForgeError, Place};
use crate::escape::escape;

/// How long a forge may be silent.
const SILENCE: Duration = Duration::from_secs(30);

/// The largest answer, in bytes: a page of the longest comments.
const LARGEST: u64 = 128 * 1024 * 1024;

/// As much as is shown of what a forge says.
const SHOWN: usize = 300;

/// Asks one forge.
pub(super) struct Api<'a> {
    place: &'a Place,
    agent: Agent,
}

impl Api<'_> {
    pub(super) fn of(place: &Place) -> Api<'_> {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder()
            .tls_config(tls)
            // Whoever it leads to is not whom the token is for.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_connect(Some(SILENCE))
            .timeout_recv_response(Some(SILENCE))
            .timeout_recv_body(Some(SILENCE))
            .user_agent(concat!("tcloud/", env!("CARGO_PKG_VERSION")))
            .build();
        Api { place, agent: config.into() }
    }

    /// Asks, and gives back what it answers as JSON.
    pub(super) fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ForgeError> {
        let forge = self.place.forge.name();
        let asked = format!("{method} {}", path.split('?').next().unwrap_or_default());
        let away = |error: ureq::Error| ForgeError::Away {
            forge,
            said: escape(&error.to_string()).into_owned(),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.place.api))
            .header("accept", self.accepted())
            .header("authorization", self.credentials());
        if self.place.forge == Forge::Github {
            request = request.header("x-github-api-version", "2022-11-28");
        }
        let answer = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                let request = request.body(body.to_string());
                self.agent.run(request.map_err(|error| away(error.into()))?)
            }
            None => self.agent.run(request.body(()).map_err(|error| away(error.into()))?),
        };
        let mut answer = answer.map_err(away)?;
        let again = again(&answer);
        let text = answer.body_mut().with_config().limit(LARGEST).read_to_string();
        let status = answer.status();
        if !status.is_success() {
            let text = text.unwrap_or_default();
            return Err(ForgeError::Refused {
                forge,
                status: status.as_u16(),
                asked,
                said: complaint(&text),
                again,
            });
        }
        serde_json::from_str(&text.map_err(away)?).map_err(|_| ForgeError::Garbled { forge, asked })
    }

    fn accepted(&self) -> &'static str {
        match self.place.forge {
            Forge::Github => "application/vnd.github+json",
            Forge::Gitlab | Forge::Forgejo => "application/json",
        }
    }

    fn credentials(&self) -> String {
        let kind = if self.place.forge == Forge::Forgejo { "token" } else { "Bearer" };
        format!("{kind} {}", self.place.token)
    }
}

/// After how many seconds it may be asked again: when it is overloaded, away for a moment, or limits
/// how often it is asked. GitHub says the last with 403 too.
fn again(answer: &Response<Body>) -> Option<u64> {
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let asked_to_wait = header("retry-after").and_then(|seconds| seconds.trim().parse().ok());
    match answer.status().as_u16() {
        429 | 500 | 502 | 503 | 504 => Some(asked_to_wait.unwrap_or(1)),
        403 => asked_to_wait,
        _ => None,
    }
}

/// What a forge says about a refusal, short and harmless.
fn complaint(text: &str) -> String {
    let told: Value = serde_json::from_str(text).unwrap_or_default();
    let said = ["message", "error_description", "error"].iter().find_map(|key| told.get(key));
    let said = match said {
        Some(Value::String(said)) => said.clone(),
        Some(other) => other.to_string(),
        None => return String::new(),
    };
    let short: String = said.chars().take(SHOWN).collect();
    format!(": {}", escape(&short))
}
