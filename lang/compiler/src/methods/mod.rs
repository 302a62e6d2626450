//! The methods and properties of values: what they compute, what type that has, and how they are
//! documented. One file for each family; the tables in them are read by the evaluator, the checker,
//! completion and the book.

mod list;
mod list_with;
mod map;
mod network;
mod number;
mod order;
mod parts;
mod range;
mod table;
mod text;

use tcloud_model::{Diagnostic, Type, Value, codes, diagnostic};

use crate::check::assign;
use crate::ops::{Class, OpError};
pub(crate) use parts::hosts as host_bounds;
pub use table::MethodDoc;
use table::{Method, Property, Shape};

/// The most elements that a list may have.
pub(crate) const MAX_ELEMENTS: usize = 1_000_000;

/// The most bytes that a text may have.
pub(crate) const MAX_TEXT: usize = 16 << 20;

/// Why a method gave nothing.
#[derive(Debug)]
pub(crate) enum MethodError {
    /// The method itself failed; the caller adds the place.
    Failed(OpError),
    /// The lambda that it called failed, and has said where.
    Lambda(Vec<Diagnostic>),
}

impl From<OpError> for MethodError {
    fn from(error: OpError) -> MethodError {
        MethodError::Failed(error)
    }
}

/// What the checker knows of an argument.
pub(crate) enum ArgType<'a> {
    /// An expression of this type.
    Plain(Type),
    /// `x => …`: given the type of `x`, the type of the result.
    Lambda(&'a dyn Fn(&Type) -> Type),
}

/// An argument as it is written: its name, if it has one, and what the checker knows of it.
pub(crate) type Given<'a> = (Option<&'a str>, ArgType<'a>);

/// How a method calls the lambda at an argument position.
pub(crate) type Call<'a> = dyn FnMut(usize, &Value) -> Result<Value, Vec<Diagnostic>> + 'a;

/// Which argument each parameter of a method gets. Arguments have a name or stand in their place.
pub(crate) fn order(
    receiver: &Value,
    name: &str,
    names: &[Option<&str>],
) -> Result<Vec<usize>, OpError> {
    find(Class::of(receiver), name)?.order(names)
}

/// Calls a method. Lambdas stand as [`Value::None`] in `args`; `call` evaluates them.
pub(crate) fn method(
    receiver: &Value,
    name: &str,
    args: &[Value],
    call: &mut Call<'_>,
) -> Result<Value, MethodError> {
    let class = Class::of(receiver);
    let method = find(class, name)?;
    method.check_count(args.len())?;
    for (param, arg) in method.params.iter().zip(args) {
        if !param.shape.admits(arg, receiver) {
            return Err(method.wrong_argument(param, Class::of(arg).words()).into());
        }
    }
    (method.run)(receiver, args, call)
}

/// The type of what a method gives.
pub(crate) fn method_type(
    receiver: &Type,
    name: &str,
    args: &[Given<'_>],
) -> Result<Type, OpError> {
    let class = match (receiver, Class::of_type(receiver)) {
        (Type::Either(types), _) => return of_alternatives(types, name, args),
        (_, Some(class)) => class,
        (_, None) => return Ok(Type::Unknown),
    };
    let method = find(class, name)?;
    let names: Vec<Option<&str>> = args.iter().map(|(name, _)| *name).collect();
    let order = method.order(&names)?;
    let ordered = order.into_iter().filter_map(|at| args.get(at));
    let mut types = Vec::with_capacity(args.len());
    for (param, (_, arg)) in method.params.iter().zip(ordered) {
        let ty = match (arg, param.shape) {
            (ArgType::Lambda(result), Shape::Function | Shape::Condition) => {
                result(&table::element(receiver))
            }
            (ArgType::Plain(_), Shape::Function | Shape::Condition) => {
                return Err(method.wrong_argument(param, "a plain value"));
            }
            (ArgType::Lambda(_), _) => return Err(method.wrong_argument(param, "a function")),
            (ArgType::Plain(ty), _) => ty.clone(),
        };
        if !param.shape.admits_type(&ty, receiver) {
            return Err(method.wrong_argument(param, &table::words(&ty)));
        }
        types.push(ty);
    }
    Ok((method.gives)(receiver, &types))
}

/// A method of a value that may be of several types has to exist for at least one of them.
fn of_alternatives(types: &[Type], name: &str, args: &[Given<'_>]) -> Result<Type, OpError> {
    let mut fitting = Vec::new();
    let mut first_error = None;
    // Lambdas are looked at once, for all types together: those in them would be for all of theirs.
    let element = assign::join_all(types.iter().map(table::element));
    let lambda = |arg: &ArgType<'_>| match arg {
        ArgType::Lambda(result) => result(&element),
        ArgType::Plain(_) => Type::Unknown,
    };
    let results: Vec<Type> = args.iter().map(|(_, arg)| lambda(arg)).collect();
    let results: Vec<_> = results.iter().map(|ty| move |_: &Type| ty.clone()).collect();
    let mut known: Vec<Given<'_>> = Vec::with_capacity(args.len());
    for ((name, arg), result) in args.iter().zip(&results) {
        let arg = match arg {
            ArgType::Plain(ty) => ArgType::Plain(ty.clone()),
            ArgType::Lambda(_) => ArgType::Lambda(result),
        };
        known.push((*name, arg));
    }
    for ty in types {
        match method_type(ty, name, &known) {
            Ok(ty) if !fitting.contains(&ty) => fitting.push(ty),
            Ok(_) => {}
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match (fitting.len(), first_error) {
        (0, Some(error)) => Err(error),
        (1, _) => Ok(fitting.pop().unwrap_or(Type::Unknown)),
        (0, None) => Ok(Type::Unknown),
        _ => Ok(Type::Either(fitting)),
    }
}

/// A property, written without parentheses: `cidr.prefix`.
pub(crate) fn property(receiver: &Value, name: &str) -> Option<Value> {
    let property = properties(Class::of(receiver)).iter().find(|own| own.doc.name == name)?;
    (property.get)(receiver)
}

/// The type of a property. `None` for a type that is not known, or has no such property.
pub(crate) fn property_type(receiver: &Type, name: &str) -> Option<Type> {
    let class = Class::of_type(receiver)?;
    let property = properties(class).iter().find(|own| own.doc.name == name)?;
    property.class.as_type()
}

/// What is said about `value.name` when it is neither a field nor a property.
pub(crate) fn unknown_property(receiver: &Type, name: &str) -> OpError {
    Class::of_type(receiver).map_or_else(
        || OpError::new(codes::E0220, format!("there is no `{name}` here"), "check the spelling"),
        |class| unknown(class, name),
    )
}

/// Every family with its heading, for the reference.
pub(crate) fn families() -> Vec<(&'static str, Vec<&'static MethodDoc>)> {
    [
        ("Texts", Class::Text),
        ("Numbers", Class::Float),
        ("Sizes", Class::Bytes),
        ("Rates", Class::Rate),
        ("Durations", Class::Duration),
        ("Percentages", Class::Percent),
        ("Money", Class::Money),
        ("Networks", Class::Cidr),
        ("IP addresses", Class::Ip),
        ("Ranges of addresses", Class::IpRange),
        ("Ranges of numbers", Class::Range),
        ("Ports", Class::Port),
        ("Dates", Class::Date),
        ("Lists", Class::List),
        ("Objects and maps", Class::Map),
    ]
    .map(|(title, class)| (title, docs(class)))
    .into()
}

fn docs(class: Class) -> Vec<&'static MethodDoc> {
    let properties = properties(class).iter().map(|property| &property.doc);
    properties.chain(methods(class).map(|method| &method.doc)).collect()
}

fn methods(class: Class) -> impl Iterator<Item = &'static Method> {
    let tables: &[&'static [Method]] = match class {
        Class::Text => &[text::METHODS],
        Class::Int => &[number::COMPARED, number::WHOLE, number::TO_TEXT],
        Class::Float => &[number::COMPARED, number::WHOLE, number::FRACTION, number::TO_TEXT],
        Class::Bytes => &[number::COMPARED, number::AMOUNT, number::BYTES, number::TO_TEXT],
        Class::Rate => &[number::COMPARED, number::AMOUNT, number::RATE, number::TO_TEXT],
        Class::Duration => &[number::COMPARED, number::AMOUNT, number::DURATION, number::TO_TEXT],
        Class::Percent | Class::Money => &[number::COMPARED, number::WHOLE, number::TO_TEXT],
        Class::Cidr => &[network::METHODS, number::TO_TEXT],
        Class::IpRange => &[network::RANGE_METHODS, number::TO_TEXT],
        Class::Range => &[range::METHODS],
        Class::List => &[list::METHODS, list_with::METHODS],
        Class::Map => &[map::METHODS],
        Class::Ip | Class::Port | Class::Mac | Class::Date | Class::Bool => &[number::TO_TEXT],
        Class::Absent | Class::Ref | Class::Secret => &[],
    };
    tables.iter().flat_map(|table| table.iter())
}

fn properties(class: Class) -> &'static [Property] {
    match class {
        Class::Cidr => parts::CIDR,
        Class::IpRange => parts::IP_RANGE,
        Class::Range => parts::RANGE,
        Class::Port => parts::PORT,
        Class::Date => parts::DATE,
        _ => &[],
    }
}

fn find(class: Class, name: &str) -> Result<&'static Method, OpError> {
    methods(class).find(|method| method.doc.name == name).ok_or_else(|| unknown(class, name))
}

fn unknown(class: Class, name: &str) -> OpError {
    let names = || docs(class).into_iter().map(|doc| doc.name);
    let help = if class == Class::Absent {
        return OpError::new(
            codes::E0217,
            format!("the value may be absent, `{name}` needs one"),
            "say what holds when it is absent: `(value ?? other)`",
        );
    } else if class == Class::Text && name == "join" {
        "the list is joined with the text: `list.join(\", \")`".to_owned()
    } else if let Some(doc) = docs(class).into_iter().find(|doc| doc.name == name) {
        // It exists, in the other form.
        format!("it is written `{}`", doc.call())
    } else if let Some(near) = diagnostic::nearest(name, names()) {
        format!("did you mean `{near}`?")
    } else if names().next().is_some() {
        format!("there are: {}", names().collect::<Vec<_>>().join(", "))
    } else {
        format!("{} has no methods", class.words())
    };
    OpError::new(codes::E0220, format!("{} has no `{name}`", class.words()), help)
}

#[cfg(test)]
mod tests;
