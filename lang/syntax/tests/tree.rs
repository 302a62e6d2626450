//! What a text means as a tree: how operators group, what texts hold, and where things stand.

use tcloud_model::{FileId, Value};
use tcloud_syntax::ast::{BlockForm, Expr, ExprKind, Statement, TemplatePart, UnaryOp};
use tcloud_syntax::{format, parse, parse_expression};

/// An expression with all its brackets.
fn show(expr: &Expr) -> String {
    let list = |items: &[Expr]| items.iter().map(show).collect::<Vec<_>>().join(" ");
    match &expr.kind {
        ExprKind::Literal(value) => value.to_string(),
        ExprKind::Template(parts) => {
            let part = |part: &TemplatePart| match part {
                TemplatePart::Text(text) => format!("{text:?}"),
                TemplatePart::Expr(expr) => show(expr),
            };
            format!("<{}>", parts.iter().map(part).collect::<Vec<_>>().join(" "))
        }
        ExprKind::Name(name) => name.to_string(),
        ExprKind::Field(base, name) => format!("{}.{}", show(base), name.name),
        ExprKind::Index(base, index) => format!("{}[{}]", show(base), show(index)),
        ExprKind::Star(base) => format!("{}.*", show(base)),
        ExprKind::Call(callee, arguments) => {
            let argument = |argument: &tcloud_syntax::ast::Argument| match &argument.name {
                Some(name) => format!("{}:{}", name.name, show(&argument.value)),
                None => show(&argument.value),
            };
            let all: Vec<String> = arguments.iter().map(argument).collect();
            format!("{}({})", show(callee), all.join(" "))
        }
        ExprKind::List(items) => format!("[{}]", list(items)),
        ExprKind::If(parts) => format!("(if {})", list(parts.as_slice())),
        ExprKind::Unary(UnaryOp::Not, of) => format!("(! {})", show(of)),
        ExprKind::Unary(UnaryOp::Negate, of) => format!("(- {})", show(of)),
        ExprKind::Binary(operator, parts) => format!("({operator:?} {})", list(parts.as_slice())),
        ExprKind::Lambda(name, body) => format!("{} => {}", name.name, show(body)),
        ExprKind::Paren(inner) => show(inner),
        other => format!("{other:?}"),
    }
}

#[track_caller]
fn groups(text: &str, tree: &str) {
    let (expr, diagnostics) = parse_expression(FileId(0), text);
    assert_eq!(diagnostics, []);
    assert_eq!(expr.map(|expr| show(&expr)).as_deref(), Some(tree), "{text}");
}

#[test]
fn operators_group_as_people_expect() {
    groups("1 + 2 * 3 - 4", "(Subtract (Add 1 (Multiply 2 3)) 4)");
    groups("a || b && c == d", "(Or a (And b (Equal c d)))");
    groups("a ?? b ?? c == d", "(Equal (Default a (Default b c)) d)");
    groups("n in 1..=m + 1", "(In n (Range 1 (Add m 1)))");
    groups("-a.b + !c", "(Add (- a.b) (! c))");
    groups("2 * 4GiB / 3", "(Divide (Multiply 2 4GiB) 3)");
    groups("a-b - c", "(Subtract a-b c)");
    groups("(1 + 2) * 3", "(Multiply (Add 1 2) 3)");
    groups("if a then 1 else if b then 2 else 3 + 4", "(if a 1 (if b 2 (Add 3 4)))");
    groups("a\n  && b\n  || c", "(Or (And a b) c)");
}

#[test]
fn paths_are_read_step_by_step() {
    groups("vm.web[1].nic.x.address", "vm.web[1].nic.x.address");
    groups("vm.web.*.host", "vm.web.*.host");
    groups("10.20.0.0/24.host(10)", "10.20.0.0/24.host(10)");
    groups("f(a, of = [1, 2]).g(x => x.y)[0]", "f(a of:[1 2]).g(x => x.y)[0]");
    groups("xs\n  .unique()\n  .sum()", "xs.unique().sum()");
    groups("fd00:1::/64", "fd00:1::/64");
    groups("::1", "::1");
    groups("10.20.0.1..=10.20.0.9", "(Range 10.20.0.1 10.20.0.9)");
}

#[track_caller]
fn text(written: &str, value: &str) {
    let (expr, diagnostics) = parse_expression(FileId(0), written);
    assert_eq!(diagnostics, []);
    assert_eq!(
        expr.map(|expr| expr.kind),
        Some(ExprKind::Literal(Value::text(value))),
        "{written}"
    );
}

#[test]
fn texts_hold_what_they_show() {
    text(r#""a \"b\" \u{e4} $5 \${x}\n""#, "a \"b\" ä $5 ${x}\n");
    text(r#"r"C:\x ${y}""#, r"C:\x ${y}");
    text("\"\"", "");
    text("\"\"\"one line\"\"\"", "one line");
    text("\"\"\"\n    a\n      b\n\n    c\n    \"\"\"", "a\n  b\n\nc\n");
    text("\"\"\"\r\n    a\r\n    b\r\n  \"\"\"", "  a\n  b\n");
    text("r\"\"\"\n  ${HOME} \\\n  \"\"\"", "${HOME} \\\n");
    groups("\"a ${x.y} b${1 + 2}\"", "<\"a \" x.y \" b\" (Add 1 2)>");
    groups("\"\"\"\n  a ${x}\n    b\n  \"\"\"", "<\"a \" x \"\\n  b\\n\">");
}

#[test]
fn every_node_knows_its_place() {
    let text = "/// doc\nvm web for n in 1..=2 if a { memory = 4GiB }\n";
    let parsed = parse(FileId(0), text);
    assert_eq!(parsed.diagnostics, []);
    let at = |span: tcloud_model::Span| &text[span.start as usize..span.end as usize];
    let [Statement::Block(block)] = parsed.file.statements.as_slice() else {
        panic!("{:?}", parsed.file);
    };
    assert_eq!((block.doc.as_deref(), block.form), (Some("doc"), BlockForm::Own));
    assert_eq!(at(block.kind.span), "vm");
    assert_eq!(block.name.as_ref().map(|name| at(name.span)), Some("web"));
    assert_eq!(block.repeat.as_ref().map(|repeat| at(repeat.span)), Some("for n in 1..=2"));
    assert_eq!(block.condition.as_ref().map(|condition| at(condition.span)), Some("a"));
    assert_eq!(at(block.head), "vm web for n in 1..=2 if a");
    assert_eq!(at(block.span), text.trim_start_matches("/// doc\n").trim_end());
    let [Statement::Attribute(attribute)] = block.body.as_slice() else {
        panic!("{:?}", block.body);
    };
    assert_eq!((at(attribute.name.span), at(attribute.value.span)), ("memory", "4GiB"));
    assert_eq!(at(attribute.span), "memory = 4GiB");
}

/// A `>` that ends a type is no comparison with what follows it.
#[test]
fn a_condition_ends_with_the_type_that_it_stands_in() {
    for of in ["this < 10", "this > 0", "this >= 0 && this > -1 && f(this > 1)"] {
        for rest in ["", "?", "[]", "[]?", " = 5", " where this > 3", " | String", " // a", " \r"] {
            for outer in ["Late<#>", "Map<Late<#>>", "{ a: Late<#> }", "{ a: Late<#>, b: Int }"] {
                let ty = outer.replace('#', &format!("Int where {of}"));
                let text = format!("component c {{\n  param p: {ty}{rest}\n  network n {{}}\n}}\n");
                let parsed = parse(FileId(0), &text);
                assert_eq!(parsed.diagnostics, [], "{text}");
                assert_eq!(parse(FileId(0), &format(&text)).diagnostics, [], "{text}");
                let Statement::Component(own) = &parsed.file.statements[0] else {
                    panic!("{:?}", parsed.file)
                };
                assert_eq!(own.body.len(), 2, "{text}");
            }
        }
    }
}

#[test]
fn places_are_right_behind_a_repair_too() {
    let text = "vm a {\n  list = [\n    1,\n    2\n  after = 3\n}\nlet b = 4\n";
    let parsed = parse(FileId(0), text);
    assert_eq!(parsed.diagnostics.len(), 1);
    let Statement::Block(block) = &parsed.file.statements[0] else { panic!("{:?}", parsed.file) };
    let at = |span: tcloud_model::Span| &text[span.start as usize..span.end as usize];
    let names: Vec<&str> = block
        .body
        .iter()
        .map(|statement| match statement {
            Statement::Attribute(attribute) => at(attribute.span),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, ["list = [\n    1,\n    2", "after = 3"]);
}
