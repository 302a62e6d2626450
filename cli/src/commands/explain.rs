//! `tcloud explain`: the page of a kind, of a code, or of the methods of values.

use std::sync::Arc;

use tcloud_model::{Catalog, codes, diagnostic};

use crate::arguments::Explain;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::session::Project;
use crate::terminal::{Palette, Tone};
use crate::view::layout::table;
use crate::view::{markdown, reference};
use tcloud_project::config;

/// The topic that is neither a kind nor a code.
const METHODS: &str = "methods";

pub(super) async fn run(arguments: &Explain, context: &Context) -> Outcome {
    let catalog = catalog(context).await;
    let Some(topic) = &arguments.topic else {
        context.terminal.print(&contents(&catalog, context.terminal.palette));
        return Ok(Exit::Done);
    };
    let palette = context.terminal.palette;
    let page = match (catalog.get(topic), codes::find(topic)) {
        (Some(schema), _) => reference::kind(schema, palette),
        (None, Some(page)) => markdown::render(page.page, palette),
        (None, None) if topic == METHODS => methods(palette),
        (None, None) => return Err(unknown(topic, &catalog)),
    };
    context.terminal.print(&page);
    Ok(Exit::Done)
}

/// The kinds of the project around, with what its providers add; without one, the core kinds.
async fn catalog(context: &Context) -> Arc<Catalog> {
    let root = context.path(None);
    if !root.join(config::FILE).is_file() {
        return Arc::new(Catalog::core());
    }
    match Project::open(root, context).await {
        Ok(project) => project.catalog,
        // What is wrong with the project is for the commands that work on it to say.
        Err(_) => Arc::new(Catalog::core()),
    }
}

/// What can be asked of values, by their types.
fn methods(palette: Palette) -> String {
    let mut text = String::new();
    for (title, docs) in tcloud_compiler::reference::methods() {
        let rows: Vec<Vec<String>> = docs
            .into_iter()
            .map(|doc| vec![format!("  {}", doc.signature), doc.doc.to_owned()])
            .collect();
        let rows = table(&[], &rows);
        text.push_str(&palette.paint(Tone::Strong, title));
        text.push_str(&format!("\n{}\n", rows.trim_start_matches('\n')));
    }
    text
}

/// Everything that can be explained.
fn contents(catalog: &Catalog, palette: Palette) -> String {
    let first = |doc: &str| doc.lines().next().unwrap_or_default().to_owned();
    let kinds: Vec<Vec<String>> = catalog
        .iter()
        .map(|schema| vec![format!("  {}", schema.kind), first(&schema.doc)])
        .collect();
    let mut pages: Vec<&codes::CodePage> = codes::ALL.iter().collect();
    pages.sort_by_key(|page| page.code);
    let codes: Vec<Vec<String>> = pages
        .into_iter()
        .map(|page| {
            let title = page.page.lines().next().unwrap_or_default();
            let title = title.trim_start_matches("# ").split_once(": ").map_or(title, |(_, t)| t);
            vec![format!("  {}", page.code), title.to_owned()]
        })
        .collect();
    let head = |text| palette.paint(Tone::Strong, text);
    let methods = vec![vec![format!("  {METHODS}"), "What can be asked of a value.".to_owned()]];
    format!(
        "{}\n{}\n{}\n{}\n{}\n{}",
        head("Kinds"),
        table(&[], &kinds).trim_start_matches('\n'),
        head("Values"),
        table(&[], &methods).trim_start_matches('\n'),
        head("Errors and warnings"),
        table(&[], &codes).trim_start_matches('\n'),
    )
}

fn unknown(topic: &str, catalog: &Catalog) -> Failure {
    let kinds = catalog.iter().map(|schema| schema.kind.as_str());
    let kinds = kinds.chain([METHODS]);
    let codes = codes::ALL.iter().map(|page| page.code);
    let upper = topic.to_uppercase();
    let near = diagnostic::nearest(topic, kinds).or_else(|| diagnostic::nearest(&upper, codes));
    let help = match near {
        Some(near) => format!("did you mean `tcloud explain {near}`?"),
        None => "`tcloud explain` lists everything".to_owned(),
    };
    Failure::new(format!("there is no kind and no code `{topic}`")).help(help)
}
