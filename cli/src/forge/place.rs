//! Which request to merge, on which forge: what was said, and what the runner of a job sets.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Forge, ForgeError};

/// What goes into a path as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What was said on the command line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) forge: Option<Forge>,
    pub(crate) api: Option<String>,
    pub(crate) project: Option<String>,
    pub(crate) number: Option<u64>,
    pub(crate) author: Option<String>,
}

/// A request to merge, and the right to write there.
pub(crate) struct Place {
    pub(super) forge: Forge,
    /// The address of the API, without a `/` at its end.
    pub(super) api: String,
    pub(super) token: String,
    /// The path of its comments below the API.
    pub(super) comments: String,
    /// The path below which one comment is changed by its number.
    pub(super) comment: String,
    /// Whose comment it is, where that was said.
    pub(super) author: Option<String>,
    /// How people call it: `rz/infra!7`.
    pub(crate) called: String,
}

impl Place {
    /// Finds it. `environment` gives variables, `read` files.
    pub(crate) fn find(
        wanted: Wanted,
        environment: &dyn Fn(&str) -> Option<String>,
        read: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Place, ForgeError> {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let forge =
            wanted.forge.or_else(|| runner(&set)).ok_or(ForgeError::Unknown("the forge"))?;
        let of_runner = |name: &str| set(name).filter(|_| runner(&set) == Some(forge));
        let api = wanted.api.or_else(|| match forge {
            Forge::Gitlab => of_runner("CI_API_V4_URL"),
            Forge::Github => {
                of_runner("GITHUB_API_URL").or_else(|| Some("https://api.github.com".to_owned()))
            }
            Forge::Forgejo => of_runner("GITHUB_API_URL"),
        });
        let api = api.ok_or(ForgeError::Unknown("the address of the forge's API"))?;
        let api = encrypted(api.trim_end_matches('/'))?;
        let project = wanted.project.or_else(|| match forge {
            Forge::Gitlab => of_runner("CI_PROJECT_ID"),
            Forge::Github | Forge::Forgejo => of_runner("GITHUB_REPOSITORY"),
        });
        let project = project.ok_or(ForgeError::Unknown("the project"))?;
        let number = match (wanted.number, forge) {
            (Some(number), _) => Some(number),
            (None, Forge::Gitlab) => of_runner("CI_MERGE_REQUEST_IID").and_then(|n| n.parse().ok()),
            (None, Forge::Github | Forge::Forgejo) => of_runner("GITHUB_REF")
                .and_then(|name| of_reference(&name))
                .or_else(|| of_event(&read(&of_runner("GITHUB_EVENT_PATH")?)?)),
        };
        let number = number.ok_or(ForgeError::Unknown("the number of the request to merge"))?;
        let mut tokens = forge.tokens().iter();
        let token = tokens.find_map(|name| set(name)).ok_or_else(|| ForgeError::NoToken {
            forge: forge.name(),
            variables: forge.tokens().join(", "),
        })?;
        let (comments, comment) = paths(forge, &project, number)?;
        let mark = if forge == Forge::Gitlab { '!' } else { '#' };
        let called = format!("{project}{mark}{number}");
        Ok(Place { forge, api, token, comments, comment, author: wanted.author, called })
    }
}

/// Whose runner this is. Those of Forgejo and Gitea set GitHub's variables too.
fn runner(set: &dyn Fn(&str) -> Option<String>) -> Option<Forge> {
    let runners = [
        ("GITLAB_CI", Forge::Gitlab),
        ("FORGEJO_ACTIONS", Forge::Forgejo),
        ("GITEA_ACTIONS", Forge::Forgejo),
        ("GITHUB_ACTIONS", Forge::Github),
    ];
    runners.into_iter().find_map(|(name, forge)| set(name).map(|_| forge))
}

/// An address to which a token may be sent: encrypted, or on this machine.
fn encrypted(api: &str) -> Result<String, ForgeError> {
    let wrong = || ForgeError::Wrong { what: "the address of an API", text: api.to_owned() };
    let uri: ureq::http::Uri = api.parse().map_err(|_| wrong())?;
    let host = uri.host().ok_or_else(wrong)?;
    if uri.authority().is_some_and(|own| own.as_str().contains('@')) || uri.query().is_some() {
        return Err(wrong());
    }
    match uri.scheme_str() {
        Some("https") => Ok(api.to_owned()),
        Some("http") if matches!(host, "localhost" | "127.0.0.1" | "[::1]") => Ok(api.to_owned()),
        Some("http") => Err(ForgeError::Unencrypted(api.to_owned())),
        _ => Err(wrong()),
    }
}

/// `refs/pull/7/merge`: the runner works on request 7.
fn of_reference(reference: &str) -> Option<u64> {
    reference.strip_prefix("refs/pull/")?.split('/').next()?.parse().ok()
}

/// The number in what a runner tells of the event that started it.
fn of_event(event: &str) -> Option<u64> {
    let event: serde_json::Value = serde_json::from_str(event).ok()?;
    let of_request = event["pull_request"]["number"].as_u64();
    // A comment on an issue that is no request to merge has nothing to plan.
    let of_comment =
        || event["issue"]["pull_request"].is_object().then(|| event["issue"]["number"].as_u64());
    of_request.or_else(|| of_comment().flatten())
}

/// The path of all comments, and the one below which a single one is changed.
fn paths(forge: Forge, project: &str, number: u64) -> Result<(String, String), ForgeError> {
    let plain = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
    if forge == Forge::Gitlab {
        let notes = format!("/projects/{}/merge_requests/{number}/notes", plain(project));
        return Ok((notes.clone(), notes));
    }
    let wrong = || ForgeError::Wrong { what: "a repository", text: project.to_owned() };
    let (owner, name) = project.split_once('/').ok_or_else(wrong)?;
    let is_name = |text: &str| !matches!(text, "" | "." | "..") && !text.contains('/');
    if !is_name(owner) || !is_name(name) {
        return Err(wrong());
    }
    let issues = format!("/repos/{}/{}/issues", plain(owner), plain(name));
    Ok((format!("{issues}/{number}/comments"), format!("{issues}/comments")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(wanted: Wanted, set: &[(&str, &str)], event: &str) -> Result<Place, String> {
        let environment = |name: &str| {
            set.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned())
        };
        let read = |_: &str| Some(event.to_owned());
        Place::find(wanted, &environment, &read).map_err(|error| error.to_string())
    }

    const GITHUB: &[(&str, &str)] = &[
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_API_URL", "https://api.github.com"),
        ("GITHUB_REPOSITORY", "rz/infra"),
        ("GITHUB_REF", "refs/pull/7/merge"),
        ("GITHUB_TOKEN", "t0ken"),
    ];

    #[test]
    fn a_runner_says_where_it_is() {
        let place = find(Wanted::default(), GITHUB, "").expect("it is known");
        assert_eq!(place.forge, Forge::Github);
        assert_eq!(place.comments, "/repos/rz/infra/issues/7/comments");
        assert_eq!((place.called.as_str(), place.token.as_str()), ("rz/infra#7", "t0ken"));

        let forgejo = [GITHUB, &[("GITEA_ACTIONS", "true")]].concat();
        let place = find(Wanted::default(), &forgejo, "").expect("it is known");
        assert_eq!(place.forge, Forge::Forgejo);

        let gitlab = [
            ("GITLAB_CI", "true"),
            ("CI_API_V4_URL", "https://lab.town/api/v4/"),
            ("CI_PROJECT_ID", "rz/infra"),
            ("CI_MERGE_REQUEST_IID", "12"),
            ("GITLAB_TOKEN", "t0ken"),
        ];
        let place = find(Wanted::default(), &gitlab, "").expect("it is known");
        assert_eq!(place.comments, "/projects/rz%2Finfra/merge_requests/12/notes");
        assert_eq!(place.api, "https://lab.town/api/v4");
    }

    #[test]
    fn an_event_names_the_request() {
        let on_branch =
            [&GITHUB[..3], &GITHUB[4..], &[("GITHUB_EVENT_PATH", "event.json")]].concat();
        let number = |event: &str| {
            let place = find(Wanted::default(), &on_branch, event);
            place.map(|place| place.called)
        };
        assert_eq!(number(r#"{"pull_request": {"number": 9}}"#).as_deref(), Ok("rz/infra#9"));
        let comment = r#"{"issue": {"number": 8, "pull_request": {}}}"#;
        assert_eq!(number(comment).as_deref(), Ok("rz/infra#8"));
        for other in [r#"{"issue": {"number": 8}}"#, "{}", "nonsense"] {
            assert!(number(other).expect_err(other).contains("the number"), "{other}");
        }
    }

    #[test]
    fn a_token_goes_to_no_place_that_everybody_can_read() {
        let with = |api: &str| {
            let wanted = Wanted { api: Some(api.to_owned()), ..Wanted::default() };
            find(wanted, GITHUB, "").map(|place| place.api)
        };
        assert_eq!(with("http://127.0.0.1:80/api").as_deref(), Ok("http://127.0.0.1:80/api"));
        for (api, words) in [
            ("http://forge.town/api", "is not encrypted"),
            ("http://127.0.0.1.evil.example/", "is not encrypted"),
            ("https://user:word@forge.town", "cannot be"),
            ("file:///etc/passwd", "cannot be"),
            ("forge", "cannot be"),
            ("", "cannot be"),
        ] {
            assert!(with(api).expect_err(api).contains(words), "{api}");
        }
    }

    #[test]
    fn what_is_not_said_is_named() {
        assert_eq!(
            find(Wanted::default(), &[], "").err().as_deref(),
            Some("the forge is not known")
        );
        let error = find(Wanted::default(), &GITHUB[..4], "").err().expect("no token");
        assert!(error.contains("TCLOUD_FORGE_TOKEN, GITHUB_TOKEN"), "{error}");
        for project in ["infra", "a/b/c", "../infra", "/infra"] {
            let wanted = Wanted { project: Some(project.to_owned()), ..Wanted::default() };
            assert!(find(wanted, GITHUB, "").is_err(), "{project}");
        }
    }
}
