//! The reference as Markdown, made from the same tables that the checker reads: for the book, and
//! for `tcloud explain`. Pure functions; who calls them writes the files.

use std::fmt::Write as _;

use tcloud_model::{Attribute, Block, Catalog, Cost, Impact, Role, Schema, Type, Unless, codes};

use crate::methods;
pub use crate::methods::MethodDoc;

/// A page of the book, below `book/src`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// `kinds/vm.md`
    pub path: String,
    /// What the table of contents calls it.
    pub title: String,
    /// Its text.
    pub text: String,
}

/// Every page that is made from tables: one for each kind, the methods, the index of the codes.
pub fn pages(catalog: &Catalog) -> Vec<Page> {
    let mut pages = vec![Page {
        path: "kinds/README.md".to_owned(),
        title: "Kinds".to_owned(),
        text: kinds_index(catalog),
    }];
    pages.extend(catalog.iter().map(|schema| Page {
        path: format!("kinds/{}.md", schema.kind),
        title: schema.kind.to_string(),
        text: kind(schema),
    }));
    pages.push(Page {
        path: "methods.md".to_owned(),
        title: "Methods".to_owned(),
        text: methods_page(),
    });
    pages.push(Page {
        path: "codes/README.md".to_owned(),
        title: "Diagnostic codes".to_owned(),
        text: codes_index(),
    });
    pages
}

/// The lines of the book's table of contents for [`pages`] and for the pages of the codes.
pub fn contents(catalog: &Catalog) -> String {
    let mut text = String::new();
    for page in pages(catalog) {
        let nested = page.path.starts_with("kinds/") && !page.path.ends_with("README.md");
        let indent = if nested { "  " } else { "" };
        let _ = writeln!(text, "{indent}- [{}]({})", page.title, page.path);
    }
    for page in codes::ALL {
        let title = title_of(page.page).replace(['[', ']'], "");
        let _ = writeln!(text, "  - [{title}](codes/{}.md)", page.code);
    }
    text
}

/// All kinds with their first sentences.
fn kinds_index(catalog: &Catalog) -> String {
    let rows = catalog.iter().map(|schema| {
        vec![format!("[`{0}`]({0}.md)", schema.kind), first_paragraph(&schema.doc), place(schema)]
    });
    let table = table(&["kind", "what it is", "stands in"], rows.collect());
    format!(
        "# Kinds\n\nWhat a block can declare. Each page has the attributes with their types, their \
         defaults, and what changing them does to what runs.\n\n{table}"
    )
}

/// The page of a kind: what it is, an example, its attributes and blocks.
pub fn kind(schema: &Schema) -> String {
    let mut text = format!("# {}\n\n{}\n\n", schema.kind, schema.doc.trim());
    let _ = writeln!(text, "It stands {}. {}\n", place(schema), role(schema));
    let _ = writeln!(text, "~~~tcloud\n{}\n~~~\n", schema.example.trim());
    attributes(&mut text, "## Attributes", &schema.attributes);
    for block in &schema.blocks {
        write_block(&mut text, block, "##", "");
    }
    if schema.role.is_managed() || schema.role == Role::Part {
        text.push_str(LEGEND);
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// What the words for impacts mean.
const LEGEND: &str = "## What a change does\n\n\
    `none`: only a record changes. `live`: the running guest notices nothing, or new hardware. \
    `live+guest`: live, but the guest has to act to profit. `power-cycle`: takes effect when the \
    guest is stopped and started. `recreate-keep`: made anew, data is kept. `recreate-lose`: made \
    anew, data is lost, which needs consent. `blocked`: refused. \
    `–`: it steers tcloud and changes nothing that runs.\n";

fn place(schema: &Schema) -> String {
    let mut places: Vec<String> =
        schema.within.iter().map(|kind| format!("in a `{kind}`")).collect();
    if schema.top_level {
        places.insert(0, "at the top level".to_owned());
    }
    match places.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => "nowhere by itself".to_owned(),
    }
}

fn role(schema: &Schema) -> String {
    let what = match schema.role {
        Role::Scope => "Other blocks stand in it; nothing runs for it.",
        Role::Fact => "Others refer to it; nothing is created for it.",
        Role::Single => "It becomes one object on one host.",
        Role::PerHost => "It becomes an object on every host that needs it.",
        Role::Part => "It is changed together with the block around it.",
    };
    if schema.role.is_managed() {
        format!("{what} Deleting it: `{}`.", schema.removal)
    } else {
        what.to_owned()
    }
}

fn attributes(text: &mut String, heading: &str, attributes: &[Attribute]) {
    if attributes.is_empty() {
        return;
    }
    let rows = attributes.iter().map(|attribute| {
        vec![
            format!("`{}`", attribute.name),
            bounded_type(attribute),
            default(attribute),
            if attribute.steering { "–".to_owned() } else { cost(attribute) },
            first_paragraph(&attribute.doc),
        ]
    });
    let table = table(&["attribute", "type", "default", "a change is", "meaning"], rows.collect());
    let _ = writeln!(text, "{heading}\n\n{table}");
    for attribute in attributes {
        let more = attribute.doc.split_once("\n\n").map_or("", |(_, more)| more.trim());
        if !more.is_empty() {
            let _ = writeln!(text, "**`{}`**: {more}\n", attribute.name);
        }
        if let Type::Object(fields) = &attribute.ty {
            let _ = writeln!(text, "Fields of `{}`:\n", attribute.name);
            for field in fields {
                let mark = if field.optional { "?" } else { "" };
                let _ = writeln!(text, "- `{}{mark}: {}`", field.name, field.ty);
            }
            text.push('\n');
        }
    }
}

/// A type in a cell of a table; the fields of an object are listed below the table.
fn shown_type(ty: &Type) -> String {
    match ty {
        Type::Object(_) => "{ … }".to_owned(),
        Type::List(of) => match &**of {
            Type::Unknown => "value[]".to_owned(),
            Type::Ref(kinds) if kinds.is_empty() => "reference[]".to_owned(),
            _ => ty.to_string(),
        },
        _ => ty.to_string(),
    }
}

/// The type, and the smallest value when there is one.
fn bounded_type(attribute: &Attribute) -> String {
    let ty = shown_type(&attribute.ty);
    match &attribute.least {
        Some(least) => format!("`{ty}`, `{least}` or more"),
        None => format!("`{ty}`"),
    }
}

fn default(attribute: &Attribute) -> String {
    match &attribute.default {
        _ if attribute.required => "**required**".to_owned(),
        Some(value) => format!("`{value}`"),
        None if attribute.computed => "worked out by tcloud".to_owned(),
        None if attribute.assigned => "chosen by tcloud".to_owned(),
        None => String::new(),
    }
}

fn cost(attribute: &Attribute) -> String {
    let word = |impact: &Impact| format!("`{impact}`");
    match &attribute.cost {
        Cost::Always(impact) => word(impact),
        Cost::Direction { grow, shrink } if attribute.ty == Type::Bool => {
            format!("switching on {}, switching off {}", word(grow), word(shrink))
        }
        Cost::Direction { grow, shrink } => {
            format!("growing {}, shrinking {}", word(grow), word(shrink))
        }
        Cost::Ceiling { ceiling, step, within, beyond, shrink } => format!(
            "up to `{ceiling}`{} {}, beyond {}, shrinking {}",
            step.as_ref().map(|step| format!(" in steps of `{step}`")).unwrap_or_default(),
            word(within),
            word(beyond),
            word(shrink)
        ),
    }
}

fn write_block(text: &mut String, block: &Block, marks: &str, around: &str) {
    let label = if block.labelled { " NAME" } else { "" };
    let path = format!("{around}{}", block.name);
    let times =
        if block.labelled { "Any number of times, each with a name." } else { "At most once." };
    let _ = writeln!(text, "{marks} `{path}{label} {{ … }}`\n\n{}\n", block.doc.trim());
    let costs = if block.steering {
        String::new()
    } else {
        let mut costs =
            format!(" Adding one: `{}`; removing one: `{}`.", block.adding, block.removing);
        for Unless { attribute, values, impact } in &block.unless {
            let values: Vec<String> = values.iter().map(|value| format!("`\"{value}\"`")).collect();
            let _ = write!(
                costs,
                " With `{attribute}` other than {}: `{impact}`.",
                values.join(" or ")
            );
        }
        costs
    };
    let _ = writeln!(text, "{times}{costs}\n");
    attributes(text, &format!("{marks}# Attributes of `{path}`"), &block.attributes);
    for inner in &block.blocks {
        write_block(text, inner, &format!("{marks}#"), &format!("{path}."));
    }
}

/// All methods and properties, by the type that has them.
pub fn methods() -> Vec<(&'static str, Vec<&'static MethodDoc>)> {
    methods::families()
}

/// The page of all methods and properties.
pub fn methods_page() -> String {
    let mut text = String::from(
        "# Methods\n\nWhat can be asked of a value. A property is written without parentheses. \
         `T` is the type of a list's or map's elements, `same` the type of the value itself. Every \
         example is a condition that holds.\n",
    );
    for (title, docs) in methods() {
        let rows = docs.into_iter().map(|doc| {
            vec![format!("`{}`", doc.signature), doc.doc.to_owned(), format!("`{}`", doc.example)]
        });
        let table = table(&["method", "gives", "example"], rows.collect());
        let _ = write!(text, "\n## {title}\n\n{table}");
    }
    text
}

/// The index of all diagnostic codes.
pub fn codes_index() -> String {
    const GROUPS: [(&str, &str); 11] = [
        ("E00", "The text cannot be read"),
        ("E01", "Attributes and kinds"),
        ("E02", "Types, values and units"),
        ("E03", "Names and addresses"),
        ("E04", "Cycles and order"),
        ("E05", "Quotas, sizes and placement"),
        ("E06", "Tenancy"),
        ("E07", "Values that are known too late"),
        ("E08", "Secrets"),
        ("E09", "Protection and plans"),
        ("W", "Warnings"),
    ];
    let mut text = String::from(
        "# Diagnostic codes\n\nEvery message has a code, and every code a page with a wrong and a \
         right example. `tcloud explain CODE` shows it.\n",
    );
    for (prefix, title) in GROUPS {
        let group = || codes::ALL.iter().filter(|page| page.code.starts_with(prefix));
        if group().next().is_none() {
            continue;
        }
        let _ = writeln!(text, "\n## {title}\n");
        for page in group() {
            let title = title_of(page.page);
            let title = title.split_once(": ").map_or(title, |(_, title)| title);
            let _ = writeln!(text, "- [{0}]({0}.md): {title}", page.code);
        }
    }
    text
}

fn title_of(page: &str) -> &str {
    page.lines().next().unwrap_or_default().trim_start_matches("# ")
}

fn first_paragraph(doc: &str) -> String {
    let paragraph = doc.split("\n\n").next().unwrap_or_default();
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A Markdown table whose columns are padded, so that it reads well as it is. The last column is
/// not padded.
fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut lines: Vec<Vec<String>> = vec![head.iter().map(|&word| word.to_owned()).collect()];
    // A bar would end the cell, in code too.
    lines.extend(
        rows.into_iter()
            .map(|row| row.into_iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>()),
    );
    let width = |column: usize| {
        lines.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..head.len()).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for (number, row) in lines.iter().enumerate() {
        text.push('|');
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let padding = if column + 1 == head.len() { 0 } else { width - cell.chars().count() };
            let _ = write!(text, " {cell}{} |", " ".repeat(padding));
        }
        text.push('\n');
        if number == 0 {
            text.push('|');
            for (column, width) in widths.iter().enumerate() {
                let dashes = if column + 1 == head.len() { 3 } else { *width };
                let _ = write!(text, " {} |", "-".repeat(dashes));
            }
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests;
