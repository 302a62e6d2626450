//! Where pools and images lie and come from. Every provider takes these forms, and nothing else.

use tcloud_model::kinds::PoolSource;
use tcloud_model::{DesiredResource, Diagnostic, Value, codes};

use super::facts::Facts;

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    for pool in facts.pools.iter().filter(|pool| !pool.lifecycle.existing) {
        found.extend(pool_path(facts, pool));
        found.extend(pool_source(facts, pool));
    }
    for image in facts.images.iter().filter(|image| !image.lifecycle.existing) {
        found.extend(image_source(facts, image));
    }
}

fn pool_path(facts: &Facts<'_>, pool: &DesiredResource) -> Option<Diagnostic> {
    let path = pool.attributes.text("path")?;
    if path.starts_with('/') && path.split('/').all(|part| part != "..") {
        return None;
    }
    let name = pool.address.last_name();
    Some(
        malformed(facts, pool, "path", format!("the path of pool `{name}` is not absolute"))
            .label("where this lies on a host is not said")
            .help("write the whole path, without `..`: `/srv/tcloud`"),
    )
}

fn pool_source(facts: &Facts<'_>, pool: &DesiredResource) -> Option<Diagnostic> {
    let source = pool.attributes.text("source")?;
    let kind = pool.attributes.text("type")?;
    let form = match kind {
        "nfs" => "`server:/export`, the server and its directory",
        "lvm" => "the name of the volume group, such as `vg0`",
        "rbd" => "`monitor-1,monitor-2:pool`, Ceph's monitors and its pool",
        _ => return None,
    };
    if PoolSource::parse(kind, source).is_some() {
        return None;
    }
    let name = pool.address.last_name();
    let message = format!("pool `{name}` of type {kind} cannot come from {}", Value::text(source));
    Some(
        malformed(facts, pool, "source", message)
            .label("not of this form")
            .help(format!("write {form}")),
    )
}

fn image_source(facts: &Facts<'_>, image: &DesiredResource) -> Option<Diagnostic> {
    let source = image.attributes.text("source")?;
    let (label, help) = match (source.strip_prefix("file:"), source.strip_prefix("https://")) {
        (Some(path), _) if path.starts_with('/') => return None,
        (Some(_), _) => ("not an absolute path", "write the whole path: `file:/srv/debian.qcow2`"),
        (None, Some(rest)) => match rest.split('/').next() {
            Some("") | None => ("no server", "write `https://server/path`"),
            Some(server) if server.contains('@') => (
                "names an account, for every reader to use",
                "let the server give it to your hosts without, or put it there as a file: \
                 `file:/srv/debian.qcow2`",
            ),
            Some(_) => return None,
        },
        (None, None) => (
            "neither encrypted nor a file of this machine",
            "write `https://server/path`, or `file:/path`",
        ),
    };
    let name = image.address.last_name();
    let message = format!("image `{name}` cannot come from there");
    Some(malformed(facts, image, "source", message).label(label).help(help))
}

fn malformed(
    facts: &Facts<'_>,
    resource: &DesiredResource,
    attribute: &str,
    message: String,
) -> Diagnostic {
    Diagnostic::error(codes::E0232, facts.span(resource, attribute), message)
}
