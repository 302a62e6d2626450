//! `tcloud explain`: the page of a kind or of a code.

use tcloud_model::{Catalog, codes, diagnostic};

use super::Context;
use crate::arguments::Explain;
use crate::failure::{Exit, Failure, Outcome};
use crate::terminal::{Palette, Tone};
use crate::view::layout::table;
use crate::view::{markdown, reference};

pub(super) fn run(arguments: &Explain, context: &Context) -> Outcome {
    let catalog = Catalog::core();
    let Some(topic) = &arguments.topic else {
        context.terminal.print(&contents(&catalog, context.terminal.palette));
        return Ok(Exit::Done);
    };
    let palette = context.terminal.palette;
    let page = match (catalog.get(topic), codes::find(topic)) {
        (Some(schema), _) => reference::kind(schema, palette),
        (None, Some(page)) => markdown::render(page.page, palette),
        (None, None) => return Err(unknown(topic, &catalog)),
    };
    context.terminal.print(&page);
    Ok(Exit::Done)
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
    format!(
        "{}\n{}\n{}\n{}",
        head("Kinds"),
        table(&[], &kinds).trim_start_matches('\n'),
        head("Errors and warnings"),
        table(&[], &codes).trim_start_matches('\n'),
    )
}

fn unknown(topic: &str, catalog: &Catalog) -> Failure {
    let kinds = catalog.iter().map(|schema| schema.kind.as_str());
    let codes = codes::ALL.iter().map(|page| page.code);
    let upper = topic.to_uppercase();
    let near = diagnostic::nearest(topic, kinds).or_else(|| diagnostic::nearest(&upper, codes));
    let help = match near {
        Some(near) => format!("did you mean `tcloud explain {near}`?"),
        None => "`tcloud explain` lists everything".to_owned(),
    };
    Failure::new(format!("there is no kind and no code `{topic}`")).help(help)
}
