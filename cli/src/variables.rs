//! Parameters of the configuration from the command line and from files.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use tcloud_compiler::Variable;
use tcloud_model::{Name, Sources, Span};
use tcloud_syntax::ast::Statement;

use crate::arguments::Inputs;
use crate::failure::Failure;
use crate::terminal::Palette;
use crate::value;
use crate::view::diagnostics;

/// Why a file of parameters is of no use.
#[derive(Debug, thiserror::Error)]
enum VariablesError {
    #[error("{} cannot be read", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{}:{line}: {message}", path.display())]
    Wrong { path: PathBuf, line: u32, message: String },
}

/// All parameters that were given; the command line wins over files, later over earlier.
pub(crate) fn read(inputs: &Inputs) -> Result<BTreeMap<Name, Variable>, Failure> {
    let mut all = BTreeMap::new();
    for path in &inputs.variable_files {
        file(path, &mut all)?;
    }
    for (name, text) in &inputs.variables {
        all.insert(Name::new(name), Variable::Text(text.clone()));
    }
    Ok(all)
}

/// Reads a file of `name = value` lines, in the language's own syntax.
fn file(path: &Path, all: &mut BTreeMap<Name, Variable>) -> Result<(), Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| VariablesError::Read { path: path.to_owned(), source })?;
    let mut sources = Sources::new();
    let id = sources.add(&path.to_string_lossy(), &text);
    let parsed = tcloud_syntax::parse(id, &text);
    if !parsed.diagnostics.is_empty() {
        let shown = diagnostics::render(&parsed.diagnostics, &sources, None, Palette::PLAIN);
        return Err(Failure::new(format!("parameters cannot be read\n{}", shown.trim_end())));
    }
    for statement in &parsed.file.statements {
        let wrong = |span, message: &str| VariablesError::Wrong {
            path: path.to_owned(),
            line: sources.position(span).line,
            message: message.to_owned(),
        };
        let Statement::Attribute(attribute) = statement else {
            let message = "only `name = value` lines are read here";
            return Err(wrong(place(statement), message).into());
        };
        let Some(value) = value::constant(&attribute.value) else {
            let message = "a parameter in a file is a literal, a list or an object of them";
            return Err(wrong(attribute.value.span, message).into());
        };
        all.insert(attribute.name.name.clone(), Variable::Value(value));
    }
    Ok(())
}

/// Where a statement stands.
fn place(statement: &Statement) -> Span {
    match statement {
        Statement::Block(block) => block.span,
        Statement::Attribute(attribute) => attribute.span,
        Statement::Let(own) => own.span,
        Statement::Param(own) => own.span,
        Statement::Output(own) => own.span,
        Statement::Function(own) => own.span,
        Statement::TypeAlias(own) => own.span,
        Statement::Use(own) => own.span,
        Statement::Component(own) => own.span,
        Statement::If(own) => own.span,
        Statement::Check(own) => own.span,
        Statement::Assert(own) => own.span,
        Statement::Moved(own) => own.span,
        Statement::Adopt(own) => own.span,
        Statement::Forget(own) => own.span,
        Statement::Bad(own) => own.span,
    }
}

#[cfg(test)]
mod tests {
    use tcloud_model::Value;

    use super::*;

    fn read_file(
        text: &str,
        variables: &[(&str, &str)],
    ) -> Result<BTreeMap<Name, Variable>, String> {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("prod.tcloudvars");
        std::fs::write(&path, text).expect("written");
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let inputs = Inputs {
            variables: variables.iter().map(own).collect(),
            variable_files: vec![path],
            state: None,
        };
        read(&inputs).map_err(|failure| failure.render(Palette::PLAIN))
    }

    #[test]
    fn files_hold_values_and_the_command_line_wins() {
        let all = read_file("size = 4GiB // ü\nenv = \"test\"\n", &[("env", "prod")]);
        let all = all.expect("the file is right");
        assert_eq!(all.get("size"), Some(&Variable::Value(Value::Bytes(4 << 30))));
        assert_eq!(all.get("env"), Some(&Variable::Text("prod".to_owned())));
    }

    #[test]
    fn what_is_no_parameter_is_refused_with_its_place() {
        for (text, expected) in [
            ("a = 1\nvm web {}\n", "prod.tcloudvars:2: only `name = value` lines"),
            ("a = b.c\n", "prod.tcloudvars:1: a parameter in a file is a literal"),
            ("a = \n", "parameters cannot be read"),
        ] {
            let error = read_file(text, &[]).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
