//! Whether a value is of a type. What it takes to make it so – a text becomes a MAC address, a whole
//! number a fraction – is done on the way; what does not fit is told with the place inside it.

use std::collections::BTreeSet;

use tcloud_model::diagnostic::nearest;
use tcloud_model::value::parse_mac;
use tcloud_model::window::NoWindow;
use tcloud_model::{Code, Diagnostic, Fields, Name, Span, Type, Value, Window, codes};
use tcloud_syntax::ast::{Expr, ExprKind};

use crate::ops::shown;

/// Why a value does not fit, and where inside it.
#[derive(Debug)]
pub(crate) struct Misfit {
    /// Fields and positions from the whole value to the part, innermost first.
    steps: Vec<Step>,
    code: Code,
    message: String,
    help: String,
    /// What to write instead, when that is certain.
    replacement: Option<String>,
    /// Whether the name of the field is what is wrong, and not its value.
    at_name: bool,
}

#[derive(Debug)]
enum Step {
    Field(Name),
    Element(usize),
}

/// Makes a value one of a type. `subject` names what takes it: `memory`.
pub(crate) fn fit(ty: &Type, value: Value, subject: &str) -> Result<Value, Box<Misfit>> {
    if is_final(ty, &value) {
        return Ok(value);
    }
    match (ty, value) {
        (Type::Optional(_), Value::None) => Ok(Value::None),
        (Type::Optional(of), value) => fit(of, value, subject),
        (Type::Float, Value::Int(number)) =>
        {
            #[expect(clippy::cast_precision_loss, reason = "a fraction is inexact")]
            Ok(Value::Float(number as f64))
        }
        (Type::Mac, Value::Text(text)) => match parse_mac(&text) {
            Some(mac) if mac[0] & 1 == 0 => Ok(Value::Mac(mac)),
            Some(_) => Err(misfit(
                codes::E0204,
                format!("{subject} is the address of a group, not of one card"),
                "the first byte of a card's MAC address is even: `52:54:00:…`",
            )),
            None => Err(misfit(
                codes::E0201,
                format!("{subject} needs a MAC address, this is {}", shown(&Value::Text(text))),
                "write six bytes: `\"52:54:00:12:34:56\"`",
            )),
        },
        (Type::Window, Value::Text(text)) => match Window::parse(&text) {
            Ok(_) => Ok(Value::Text(text)),
            Err(NoWindow { message, help }) => {
                let message =
                    format!("{subject} is {}, which {message}", shown(&Value::Text(text)));
                Err(misfit(codes::E0517, message, &help))
            }
        },
        (Type::List(of), Value::List(items)) => {
            let mut fitted = Vec::with_capacity(items.len());
            for (at, item) in items.iter().enumerate() {
                let item = fit(of, item.clone(), subject);
                fitted.push(item.map_err(|misfit| misfit.inside(Step::Element(at)))?);
            }
            Ok(Value::list(fitted))
        }
        (Type::Map(of), Value::Map(fields)) => {
            let mut fitted = Fields::new();
            for (name, item) in fields.iter() {
                let item = fit(of, item.clone(), name);
                let item = item.map_err(|misfit| misfit.inside(Step::Field(name.clone())))?;
                fitted.insert(name.clone(), item);
            }
            Ok(Value::map(fitted))
        }
        (Type::Object(known), Value::Map(fields)) => object(known, &fields, subject),
        (Type::Either(types), value) => either(types, value, subject),
        (ty, value) => Err(mismatch(ty, &value, subject)),
    }
}

/// Whether nothing has to be done.
fn is_final(ty: &Type, value: &Value) -> bool {
    match (ty, value) {
        (Type::Float, Value::Int(_)) => false,
        (Type::Ref(kinds), Value::Ref(_)) if kinds.is_empty() => true,
        (Type::Secret(of), Value::Text(_)) => **of == Type::Text || **of == Type::Unknown,
        (Type::List(_), Value::List(items)) if items.is_empty() => true,
        (
            Type::List(_) | Type::Map(_) | Type::Object(_) | Type::Either(_) | Type::Optional(_),
            _,
        ) => !holds_float_or_any(ty) && ty.admits(value),
        _ => ty.admits(value),
    }
}

/// Whether a type holds one that `admits` is too strict or too lax for.
fn holds_float_or_any(ty: &Type) -> bool {
    match ty {
        Type::Float | Type::Mac => true,
        Type::Ref(kinds) => kinds.is_empty(),
        Type::List(of) | Type::Map(of) | Type::Optional(of) | Type::Secret(of) => {
            holds_float_or_any(of)
        }
        Type::Object(fields) => fields.iter().any(|field| holds_float_or_any(&field.ty)),
        Type::Either(types) => types.iter().any(holds_float_or_any),
        _ => false,
    }
}

fn object(
    known: &[tcloud_model::Field],
    fields: &Fields,
    subject: &str,
) -> Result<Value, Box<Misfit>> {
    let found = known.iter().filter(|field| fields.get(&field.name).is_some()).count();
    if found < fields.len()
        && let Some(wrong) = unknown_field(known, fields, subject)
    {
        return Err(wrong);
    }
    let mut fitted = Vec::with_capacity(fields.len());
    for field in known {
        match fields.get(&field.name) {
            Some(value) => {
                let value = fit(&field.ty, value.clone(), &field.name)
                    .map_err(|misfit| misfit.inside(Step::Field(field.name.clone())))?;
                fitted.push((field.name.clone(), value));
            }
            None if field.optional || matches!(field.ty, Type::Optional(_)) => {}
            None => {
                let message = format!("{subject} lacks `{}`", field.name);
                let help = format!("add `{} = …`, which is {}", field.name, named(&field.ty));
                return Err(misfit(codes::E0102, message, &help));
            }
        }
    }
    Ok(Value::map(Fields::from(fitted)))
}

/// The first field that the type does not have.
fn unknown_field(
    known: &[tcloud_model::Field],
    fields: &Fields,
    subject: &str,
) -> Option<Box<Misfit>> {
    let names = || known.iter().map(|field| field.name.as_str());
    let all: BTreeSet<&str> = names().collect();
    let (name, _) = fields.iter().find(|(name, _)| !all.contains(name.as_str()))?;
    let meant = nearest(name, names());
    let help = match meant {
        Some(meant) => format!("write `{meant}`"),
        None => format!("it takes: {}", names().collect::<Vec<_>>().join(", ")),
    };
    let mut wrong = misfit(codes::E0101, format!("{subject} has no field `{name}`"), &help);
    wrong.at_name = true;
    wrong.replacement = meant.map(str::to_owned);
    Some(wrong.inside(Step::Field(name.clone())))
}

/// The first type that the value is of; if none, what the likeliest of them says.
fn either(types: &[Type], value: Value, subject: &str) -> Result<Value, Box<Misfit>> {
    let mut closest: Option<Box<Misfit>> = None;
    for ty in types {
        match fit(ty, value.clone(), subject) {
            Ok(value) => return Ok(value),
            Err(misfit) => {
                let same_sort = matches!(
                    (ty, &value),
                    (Type::OneOf(_) | Type::Window, Value::Text(_))
                        | (Type::Int { .. }, Value::Int(_))
                        | (Type::Object(_) | Type::Map(_), Value::Map(_))
                        | (Type::List(_), Value::List(_))
                        | (Type::Ref(_), Value::Ref(_))
                );
                // What is nearly one of the words is more likely meant than the beginnings of a window.
                let clear = closest.as_ref().is_some_and(|own| own.replacement.is_some());
                if same_sort && types.len() < 3 && !clear {
                    closest = Some(misfit);
                }
            }
        }
    }
    Err(closest.unwrap_or_else(|| mismatch(&Type::Either(types.to_vec()), &value, subject)))
}

fn misfit(code: Code, message: String, help: &str) -> Box<Misfit> {
    Box::new(Misfit {
        steps: Vec::new(),
        code,
        message,
        help: help.to_owned(),
        replacement: None,
        at_name: false,
    })
}

/// One message for each sort of mistake.
fn mismatch(ty: &Type, value: &Value, subject: &str) -> Box<Misfit> {
    let found = shown(value);
    match (ty, value) {
        (_, Value::Secret(_)) => misfit(
            codes::E0801,
            format!("a secret would become visible in {subject}"),
            "give it to something of type `Secret<…>`, or do without the secret here",
        ),
        (_, Value::None) => misfit(
            codes::E0201,
            format!("{subject} needs {}, this may be absent", named(ty)),
            "say what holds then: `x ?? …`",
        ),
        (
            Type::Bytes | Type::Rate | Type::Duration | Type::Percent | Type::Int { .. },
            Value::Bytes(_) | Value::Rate(_) | Value::Duration(_) | Value::Percent(_),
        )
        | (Type::Bytes | Type::Rate | Type::Duration | Type::Percent, Value::Int(_)) => {
            wrong_unit(ty, value, subject)
        }
        (Type::Int { min, max }, Value::Int(number)) => misfit(
            codes::E0204,
            format!("{subject} is {number}, {}", bounds(*min, *max)),
            &match (min, max) {
                (Some(min), Some(max)) => format!("write a number from {min} to {max}"),
                _ => format!("write a number: {}", bounds(*min, *max)),
            },
        ),
        (Type::OneOf(texts), Value::Text(text)) => {
            let list: Vec<String> = texts.iter().map(|text| format!("\"{text}\"")).collect();
            let meant = nearest(text, texts.iter().map(Name::as_str))
                .or_else(|| texts.iter().map(Name::as_str).find(|own| text.starts_with(own)));
            let mut wrong = misfit(
                codes::E0203,
                format!("{subject} is {found}, allowed: {}", list.join(", ")),
                &meant
                    .map_or_else(|| "choose one of these".to_owned(), |m| format!("write \"{m}\"")),
            );
            wrong.replacement = meant.map(|meant| format!("\"{meant}\""));
            wrong
        }
        (Type::Ref(_), Value::Ref(address)) => misfit(
            codes::E0201,
            format!("{subject} needs {}, {address} is a {}", named(ty), address.kind()),
            &format!("refer to {}", named(ty)),
        ),
        (Type::Ref(kinds), Value::Text(text)) => {
            let kind = kinds.first().map_or("kind", Name::as_str);
            let mut wrong = misfit(
                codes::E0201,
                format!("{subject} needs {}, this is a text", named(ty)),
                "names are not in quotes",
            );
            if Name::is_word(text) {
                wrong.help = format!("names are not in quotes: `{kind}.{text}`");
                wrong.replacement = Some(format!("{kind}.{text}"));
            }
            wrong
        }
        _ => misfit(
            codes::E0201,
            format!("{subject} needs {}, this is {}: {found}", named(ty), of_value(value)),
            &format!("write {}", example(ty)),
        ),
    }
}

/// A number without a unit, or with one of another dimension.
fn wrong_unit(ty: &Type, value: &Value, subject: &str) -> Box<Misfit> {
    let Value::Int(number) = value else {
        return misfit(
            codes::E0202,
            format!("{} is {}, but {subject} needs {}", shown(value), of_value(value), named(ty)),
            &format!("write {}", example(ty)),
        );
    };
    let (unit, what) = match ty {
        Type::Bytes => ("GiB", "a size"),
        Type::Rate => ("Mbit/s", "a rate"),
        Type::Duration => ("s", "a duration"),
        _ => ("%", "a percentage"),
    };
    // Other tools count memory in MiB and disks in GiB: only the author knows.
    let help = match ty {
        Type::Bytes => format!("write `{number}MiB` or `{number}GiB`, whichever is meant"),
        _ => format!("write the unit, such as `{number}{unit}`"),
    };
    misfit(codes::E0202, format!("{subject} needs {what}, `{number}` has no unit"), &help)
}

fn bounds(min: Option<i64>, max: Option<i64>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("allowed: {min} to {max}"),
        (Some(min), None) => format!("allowed: {min} and more"),
        (None, Some(max)) => format!("allowed: up to {max}"),
        (None, None) => "allowed: any number".to_owned(),
    }
}

/// A type in words, with its article.
pub(crate) fn named(ty: &Type) -> String {
    match ty {
        Type::Bool => "true or false".to_owned(),
        Type::Int { min: None, max: None } => "a whole number".to_owned(),
        Type::Int { min, max } => {
            format!("a whole number ({})", bounds(*min, *max).replacen("allowed: ", "", 1))
        }
        Type::Float => "a number".to_owned(),
        Type::Text => "a text".to_owned(),
        Type::Bytes => "a size".to_owned(),
        Type::Rate => "a rate".to_owned(),
        Type::Duration => "a duration".to_owned(),
        Type::Percent => "a percentage".to_owned(),
        Type::Ip => "one address".to_owned(),
        Type::Cidr => "a network of addresses (CIDR)".to_owned(),
        Type::IpRange => "a range of addresses".to_owned(),
        Type::Range => "a range of numbers".to_owned(),
        Type::Port => "a port".to_owned(),
        Type::Mac => "a MAC address".to_owned(),
        Type::Window => "a window of time".to_owned(),
        Type::Date => "a date".to_owned(),
        Type::Money => "an amount of money".to_owned(),
        Type::List(of) => format!("a list ({of}[])"),
        Type::Map(_) => "a map".to_owned(),
        Type::Object(_) => "an object".to_owned(),
        Type::Optional(of) => named(of),
        Type::Secret(of) => format!("a secret ({of})"),
        Type::Ref(kinds) if kinds.is_empty() => "an object".to_owned(),
        Type::Ref(kinds) => format!("a {}", list_or(kinds.iter().map(|kind| kind.to_string()))),
        Type::OneOf(texts) => list_or(texts.iter().map(|text| format!("\"{text}\""))),
        Type::Either(types) => list_or(types.iter().map(named)),
        Type::Unknown => "a value".to_owned(),
    }
}

fn list_or(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = parts.collect();
    match parts.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some((only, _)) => only.clone(),
        None => String::new(),
    }
}

fn of_value(value: &Value) -> &'static str {
    match value {
        Value::None => "absent",
        Value::Bool(_) => "true or false",
        Value::Int(_) => "a whole number",
        Value::Float(_) => "a number with a fraction",
        Value::Text(_) => "a text",
        Value::Bytes(_) => "a size",
        Value::Rate(_) => "a rate",
        Value::Duration(_) => "a duration",
        Value::Percent(_) => "a percentage",
        Value::Ip(_) => "one address",
        Value::Cidr(_) => "a whole network",
        Value::IpRange(_) => "a range of addresses",
        Value::Range(..) => "a range of numbers",
        Value::Port(_) => "a port",
        Value::Mac(_) => "a MAC address",
        Value::Date(..) => "a date",
        Value::Money(_) => "an amount of money",
        Value::List(_) => "a list",
        Value::Map(_) => "an object",
        Value::Ref(_) => "a reference",
        Value::Secret(_) => "a secret",
    }
}

fn example(ty: &Type) -> String {
    match ty {
        Type::Bool => "`true` or `false`".to_owned(),
        Type::Int { .. } | Type::Float => "a number such as `2`".to_owned(),
        Type::Text => "a text in quotes".to_owned(),
        Type::Bytes => "a size such as `4GiB`".to_owned(),
        Type::Rate => "a rate such as `500Mbit/s`".to_owned(),
        Type::Duration => "a duration such as `15min`".to_owned(),
        Type::Percent => "a percentage such as `80%`".to_owned(),
        Type::Ip => "one address such as `10.20.0.7`, or `network.x.cidr.host(10)`".to_owned(),
        Type::Cidr => "a network such as `10.20.0.0/24`".to_owned(),
        Type::IpRange => "a range such as `10.20.0.100..=10.20.0.199`".to_owned(),
        Type::Window => "a window such as `\"Sat 20:00-24:00 Europe/Berlin\"`".to_owned(),
        Type::Port => "a port such as `443/tcp`".to_owned(),
        Type::List(_) => "a list: `[…]`".to_owned(),
        Type::Ref(kinds) => {
            format!("a reference such as `{}.NAME`", kinds.first().map_or("vm", Name::as_str))
        }
        other => named(other),
    }
}

impl Misfit {
    fn inside(mut self: Box<Misfit>, step: Step) -> Box<Misfit> {
        self.steps.push(step);
        self
    }

    /// The diagnostic, at the part of the expression that is wrong, as far as it is written there.
    pub(crate) fn into_diagnostic(self, expr: &Expr) -> Diagnostic {
        let (span, whole) = self.place(expr);
        let mut diagnostic = Diagnostic::error(self.code, span, self.message).help(self.help);
        if let Some(replacement) = self.replacement.filter(|_| whole) {
            diagnostic = diagnostic.fix(span, replacement);
        }
        diagnostic
    }

    /// The range, and whether it is exactly the wrong part.
    fn place(&self, expr: &Expr) -> (Span, bool) {
        let mut at = expr;
        for (position, step) in self.steps.iter().rev().enumerate() {
            while let ExprKind::Paren(inner) = &at.kind {
                at = inner;
            }
            let found = match (step, &at.kind) {
                (Step::Element(index), ExprKind::List(items)) => items.get(*index),
                (Step::Field(name), ExprKind::Object(fields)) => {
                    let field = fields.iter().find(|field| field.name.name == *name);
                    if let Some(field) = field
                        && self.at_name
                        && position + 1 == self.steps.len()
                    {
                        return (field.name.span, true);
                    }
                    field.map(|field| &field.value)
                }
                _ => None,
            };
            match found {
                Some(inner) => at = inner,
                None => return (at.span, false),
            }
        }
        (at.span, matches!(at.kind, ExprKind::Literal(_)))
    }
}
