//! Names with letters that names do not have: the whole word is marked, once, with its replacement.

use tcloud_model::FileId;
use tcloud_syntax::ast::Statement;
use tcloud_syntax::{parse, parse_expression};

/// The only mistake of a text is this word; written like that, nothing is wrong any more.
#[track_caller]
fn rewritten(text: &str, word: &str, plain: &str) {
    let found = parse(FileId(0), text).diagnostics;
    let [mistake] = found.as_slice() else { panic!("{text}: {found:#?}") };
    let marked = &text[mistake.primary.span.start as usize..mistake.primary.span.end as usize];
    assert_eq!((marked, mistake.code.0), (word, "E0012"), "{text}");
    assert_eq!(mistake.message, format!("`{word}` cannot be a name"));
    let help = mistake.help.as_deref().unwrap_or("");
    assert!(help.starts_with(&format!("write `{plain}`: ")), "{text}: {help}");
    let fix = mistake.fix.as_ref().expect("a fix");
    assert_eq!((fix.span, fix.replacement.as_str()), (mistake.primary.span, plain), "{text}");
    let fixed = text.replace(word, plain);
    assert_eq!(parse(FileId(0), &fixed).diagnostics, [], "{fixed}");
}

#[test]
fn in_a_declaration() {
    for text in [
        "let größe = 3\n",
        "let x: größe = 3\n",
        "param größe: Int = 3\n",
        "param größe: Int\n",
        "param x: größe\n",
        "param x: größe = 3\n",
        "output größe = 1\n",
        "output größe: Int = 1\n",
        "type größe = Int\n",
        "type a = { größe: Int }\n",
        "fn größe(a: Int): Int = a\n",
        "fn f(größe: Int): Int = 1\n",
        "component größe {\n  param x: Int\n}\n",
        "check größe { assert a, \"m\" }\n",
        "existing network größe { name = \"x\" }\n",
        "defaults größe { a = 1 }\n",
        "vm größe { a = 1 }\n",
        "vm größe for n in 1..=2 if n > 1 { a = 1 }\n",
        "größe web { a = 1 }\n",
        "in tenant größe\n",
        "vm a {\n  größe = 3\n}\n",
        "vm a { x = 1, größe = 3 }\n",
    ] {
        rewritten(text, "größe", "groesse");
    }
    rewritten("let ä = 3\n", "ä", "ae");
    rewritten("output ä = 1\n", "ä", "ae");
    rewritten("param Übung-2: Int\n", "Übung-2", "uebung-2");
}

#[test]
fn with_marks_of_their_own() {
    for text in ["let u\u{308}ber = 3\n", "vm u\u{308}ber { a = 1 }\n", "x = u\u{308}ber\n"] {
        rewritten(text, "u\u{308}ber", "ueber");
    }
    let found = parse(FileId(0), "vm cafe\u{301} { a = 1 }\n").diagnostics;
    let messages: Vec<&str> = found.iter().map(|found| found.message.as_str()).collect();
    assert_eq!(messages, ["`cafe\u{301}` cannot be a name"]);
}

#[test]
fn in_a_value() {
    for text in [
        "let x = größe\n",
        "x = größe // groß\n",
        "x = größe * 2\n",
        "x = 2 * größe\n",
        "x = größe.a\n",
        "x = a.größe\n",
        "x = a.größe.b\n",
        "x = a[0].größe\n",
        "x = a[größe]\n",
        "x = [größe]\n",
        "x = [1, größe, 2]\n",
        "x = [\n  größe,\n]\n",
        "x = (größe)\n",
        "x = { größe = 1 }\n",
        "x = { a = größe }\n",
        "x = { a = größe, b = 2 }\n",
        "x = f(größe)\n",
        "x = f(größe = 1)\n",
        "x = f(a, größe)\n",
        "x = -größe\n",
        "x = if größe then 1 else 2\n",
        "x = [for n in größe : n]\n",
        "x = {for k, v in größe : k => v}\n",
        "x = \"ä ${größe} ö\"\n",
        "x = \"ä ${a.größe}\"\n",
        "x = \"\"\"\n  ä ${größe}\n  \"\"\"\n",
        "check c { assert größe > 1, \"zu groß\" }\n",
        "if größe { a = 1 }\n",
        "vm web if größe { a = 1 }\n",
        "vm web for n in größe { a = 1 }\n",
        "forget tenant.größe.vm.web\n",
        "moved tenant.größe -> tenant.a\n",
        "vm a { nic n { network = network.größe } }\n",
    ] {
        rewritten(text, "größe", "groesse");
    }
    rewritten("x = öl\n", "öl", "oel");
    rewritten("x = 2 * öl\n", "öl", "oel");
    rewritten("x = network.öl\n", "öl", "oel");
    rewritten("x = [öl]\n", "öl", "oel");
    rewritten("x = xs.map(größe => 1)\n", "größe", "groesse");
    rewritten("x = [for größe in xs : 1]\n", "größe", "groesse");
}

#[test]
fn in_a_lone_expression() {
    let (_, found) = parse_expression(FileId(0), "größe + 1");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, "`größe` cannot be a name");
}

#[test]
fn what_is_declared_so_is_known_by_the_name_that_is_offered() {
    let name = |text: &str| {
        let parsed = parse(FileId(0), text);
        let name = match parsed.file.statements.first() {
            Some(Statement::Block(block)) => block.name.clone(),
            Some(Statement::Component(component)) => Some(component.name.clone()),
            Some(Statement::Param(param)) => Some(param.name.clone()),
            Some(Statement::Bad(bad)) => bad.name.clone(),
            other => panic!("{other:?}"),
        };
        let name = name.expect("a name");
        let marked = &text[name.span.start as usize..name.span.end as usize];
        (name.name.to_string(), marked.to_owned())
    };
    for text in [
        "network büro { a = 1 }\n",
        "existing network büro { a = 1 }\n",
        "component büro { }\n",
        "param büro: Int\n",
        "let büro = 1\n",
        "büro = 1\n",
    ] {
        assert_eq!(name(text), ("buero".to_owned(), "büro".to_owned()), "{text}");
    }
}

#[test]
fn a_file_in_a_tenant_finds_it() {
    let parsed = parse(FileId(0), "in tenant büro\nlet x = 1\n");
    let path = parsed.file.scope.expect("a scope").path;
    let path: Vec<&str> = path.iter().map(|word| word.name.as_str()).collect();
    assert_eq!(path, ["tenant", "buero"]);
}

#[test]
fn letters_in_texts_and_comments_are_not_what_is_wrong() {
    for (text, message) in [
        ("x = \"ä\" 1 // ö\n", "`1` does not belong to this value"),
        ("x = „Größe“\n", "`„` is not the sign that is needed here"),
        ("x = 'größe'\n", "texts stand in double quotes"),
        ("vm \"\" größer\n", "`größer` cannot be a name"),
    ] {
        let found = parse(FileId(0), text).diagnostics;
        let messages: Vec<&str> = found.iter().map(|found| found.message.as_str()).collect();
        assert_eq!(messages, [message], "{text}");
    }
}

#[test]
fn the_number_of_a_character_is_told() {
    for (text, marked, message) in [
        (r#"a = "x\u{zz}y""#, r"\u{zz}", "`zz` is not the hexadecimal number of a character"),
        (
            r#"a = "\u{110000}""#,
            r"\u{110000}",
            "`110000` is not the hexadecimal number of a character",
        ),
        (r#"a = "\u00e4""#, r"\u", r"`\u` is not an escape"),
        (r#"a = "\d{1}""#, r"\d", r"`\d` is not an escape"),
    ] {
        let found = parse(FileId(0), text).diagnostics;
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        let span = found[0].primary.span;
        assert_eq!(&text[span.start as usize..span.end as usize], marked, "{text}");
        assert_eq!(found[0].message, message);
    }
}
