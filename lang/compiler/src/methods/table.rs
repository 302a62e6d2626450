//! What a method is, as data.

use tcloud_model::{Type, Value, codes};

use super::{Call, MAX_ELEMENTS, MAX_TEXT, MethodError};
use crate::ops::{self, Class, OpError};

/// A method or property, for completion, suggestions and the book.
#[derive(Clone, Copy, Debug)]
pub struct MethodDoc {
    /// `host`
    pub name: &'static str,
    /// How it is called: `host(n: Int): Ip`; a property has no parentheses.
    pub signature: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// A condition that holds: `10.20.0.0/24.host(10) == 10.20.0.10`.
    pub example: &'static str,
}

impl MethodDoc {
    /// The signature without the type of the result.
    pub(crate) fn call(&self) -> &'static str {
        match self.signature.rfind(": ") {
            Some(at) if at > self.signature.rfind(')').unwrap_or(0) => &self.signature[..at],
            _ => self.signature,
        }
    }
}

/// A method: its documentation, its parameters, its type and its code.
pub(super) struct Method {
    pub(super) doc: MethodDoc,
    pub(super) params: &'static [Param],
    /// The type of the result for a receiver and arguments that fit; for a function, the argument
    /// is the type of what it gives.
    pub(super) gives: fn(&Type, &[Type]) -> Type,
    pub(super) run: fn(&Value, &[Value], &mut Call<'_>) -> Result<Value, MethodError>,
}

/// A part of a value that is always there.
pub(super) struct Property {
    pub(super) doc: MethodDoc,
    pub(super) class: Class,
    pub(super) get: fn(&Value) -> Option<Value>,
}

/// A parameter of a method.
pub(super) struct Param {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) optional: bool,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Int,
    Text,
    List,
    Map,
    /// Of the receiver's own type.
    Same,
    /// Of the type of the receiver's elements.
    Element,
    /// Something that `in` finds in the receiver.
    Inside,
    /// A network.
    Cidr,
    /// `x => …`
    Function,
    /// `x => …` that says yes or no.
    Condition,
}

impl Param {
    pub(super) const fn new(name: &'static str, shape: Shape) -> Param {
        Param { name, shape, optional: false }
    }

    pub(super) const fn optional(name: &'static str, shape: Shape) -> Param {
        Param { name, shape, optional: true }
    }
}

impl Shape {
    /// Whether a value fits. Elements are compared by sort only, and where they are used.
    pub(super) fn admits(self, value: &Value, receiver: &Value) -> bool {
        let class = Class::of(value);
        match self {
            Shape::Int => class == Class::Int,
            Shape::Text => class == Class::Text,
            Shape::List => class == Class::List,
            Shape::Map => class == Class::Map,
            Shape::Cidr => class == Class::Cidr,
            Shape::Same => alike(class, Class::of(receiver)),
            Shape::Element | Shape::Inside => match receiver {
                Value::List(items) => {
                    items.first().is_none_or(|item| ops::comparable(class, Class::of(item)))
                }
                _ => self == Shape::Element || inside(class, Class::of(receiver)),
            },
            Shape::Function | Shape::Condition => true,
        }
    }

    /// Whether a type fits.
    pub(super) fn admits_type(self, ty: &Type, receiver: &Type) -> bool {
        if let Type::Either(types) = ty {
            return types.iter().any(|ty| self.admits_type(ty, receiver));
        }
        let (Some(class), Some(own)) = (Class::of_type(ty), Class::of_type(receiver)) else {
            return true;
        };
        match self {
            Shape::Int => class == Class::Int,
            Shape::Text => class == Class::Text,
            Shape::List => class == Class::List,
            Shape::Map => class == Class::Map,
            Shape::Cidr => class == Class::Cidr,
            Shape::Same => alike(class, own),
            Shape::Inside if own == Class::List => ops::may_contain(ty, receiver),
            Shape::Inside => inside(class, own),
            Shape::Element => {
                Class::of_type(&element(receiver)).is_none_or(|of| ops::comparable(class, of))
            }
            Shape::Function => true,
            Shape::Condition => class == Class::Bool,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Shape::Int => "a whole number",
            Shape::Text => "a text",
            Shape::List => "a list",
            Shape::Map => "an object",
            Shape::Same => "a value of the same type",
            Shape::Element | Shape::Inside => "what could be an element",
            Shape::Cidr => "a network",
            Shape::Function => "a function, `x => …`",
            Shape::Condition => "a condition, `x => x == …`",
        }
    }
}

/// Numbers go with numbers; everything else with its own sort.
fn alike(left: Class, right: Class) -> bool {
    left == right || (left.is_number() && right.is_number())
}

fn inside(class: Class, own: Class) -> bool {
    match own {
        Class::Cidr => matches!(class, Class::Ip | Class::Cidr | Class::IpRange),
        Class::IpRange => class == Class::Ip,
        Class::Range => class == Class::Int,
        Class::Text => class == Class::Text,
        _ => false,
    }
}

impl Method {
    /// Refuses too few or too many arguments.
    pub(super) fn check_count(&self, given: usize) -> Result<(), OpError> {
        let most = self.params.len();
        let least = self.params.iter().filter(|param| !param.optional).count();
        if (least..=most).contains(&given) {
            return Ok(());
        }
        let takes = match (least, most) {
            (0, 0) => "takes no arguments".to_owned(),
            (least, most) if least == most => format!("takes {}", arguments(most)),
            (least, most) => format!("takes {least} to {}", arguments(most)),
        };
        let message = format!("`{}` {takes}, here it gets {given}", self.doc.name);
        Err(self.wrong_call(message))
    }

    /// Which argument each parameter gets, in the order of the parameters. Optional ones come last,
    /// so none that is left out stands before one that is given.
    pub(super) fn order(&self, names: &[Option<&str>]) -> Result<Vec<usize>, OpError> {
        self.check_count(names.len())?;
        let mut places: Vec<Option<usize>> = vec![None; self.params.len()];
        for (at, name) in names.iter().enumerate() {
            let place = match name {
                None => at,
                Some(name) => {
                    let found = self.params.iter().position(|param| param.name == *name);
                    found.ok_or_else(|| {
                        self.wrong_call(format!("`{}` takes no argument `{name}`", self.doc.name))
                    })?
                }
            };
            if places[place].replace(at).is_some() {
                let param = self.params[place].name;
                let message = format!("`{}` gets its argument `{param}` twice", self.doc.name);
                return Err(self.wrong_call(message));
            }
        }
        let mut left_out = self.params.iter().zip(&places).filter(|(_, at)| at.is_none());
        if let Some((param, _)) = left_out.find(|(param, _)| !param.optional) {
            return Err(self.wrong_call(format!("`{}` lacks `{}`", self.doc.name, param.name)));
        }
        Ok(places.into_iter().flatten().collect())
    }

    fn wrong_call(&self, message: String) -> OpError {
        OpError::new(codes::E0221, message, self.usage())
    }

    /// Refuses an argument of the wrong type.
    pub(super) fn wrong_argument(&self, param: &Param, given: &str) -> OpError {
        let message = format!(
            "`{}` of `{}` takes {}, this is {given}",
            param.name,
            self.doc.name,
            param.shape.words()
        );
        self.wrong_call(message)
    }

    fn usage(&self) -> String {
        format!("`{}`, for example `{}`", self.doc.signature, self.doc.example)
    }
}

fn arguments(count: usize) -> String {
    if count == 1 { "1 argument".to_owned() } else { format!("{count} arguments") }
}

/// The type of a list's elements.
pub(super) fn element(receiver: &Type) -> Type {
    match receiver {
        Type::List(of) | Type::Map(of) => (**of).clone(),
        _ => Type::Unknown,
    }
}

/// A type in the user's words.
pub(super) fn words(ty: &Type) -> String {
    Class::of_type(ty)
        .map_or_else(|| "of another type".to_owned(), |class| class.words().to_owned())
}

/// There is no such result.
pub(super) fn no_result(message: impl Into<String>, help: impl Into<String>) -> MethodError {
    OpError::new(codes::E0222, message, help).into()
}

/// The result is larger than anything that is meant.
fn too_large(what: &str, help: &str) -> MethodError {
    OpError::new(codes::E0223, format!("the result would be {what}"), help).into()
}

/// Refuses a list that would be too long, before it is made.
pub(super) fn bounded(length: u128) -> Result<usize, MethodError> {
    match usize::try_from(length) {
        Ok(length) if length <= MAX_ELEMENTS => Ok(length),
        _ => Err(too_large(
            &format!("a list of {length} elements"),
            "a list may have at most 1,000,000 elements",
        )),
    }
}

/// Refuses a text that would be too long, before it is made.
pub(super) fn bounded_text(length: usize) -> Result<(), MethodError> {
    if length <= MAX_TEXT {
        return Ok(());
    }
    Err(too_large(&format!("a text of {length} bytes"), "a text may have at most 16 MiB"))
}

/// A count as a number of the language.
pub(super) fn count(length: usize) -> Value {
    Value::Int(i64::try_from(length).unwrap_or(i64::MAX))
}

/// A receiver of another sort than the method's table is for.
pub(super) fn misplaced() -> MethodError {
    panic!("BUG: a method was called on a value of another family")
}
