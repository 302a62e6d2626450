//! Expressions. When a part waits for an assignment the other parts are evaluated all the same, so
//! that their mistakes are reported and the files that they read are known.

use std::fmt::Write as _;
use std::sync::Arc;

use tcloud_model::value::SecretPart;
use tcloud_model::{Diagnostic, Fields, Name, Span, Value, codes};
use tcloud_syntax::ast::{
    BinaryOp, Comprehension, Expr, ExprKind, ObjectField, TemplatePart, UnaryOp,
};

use super::{Env, Eval, Evaluated, Frame, Stop};
use crate::ops::{self, OpError, shown};

/// The largest text, in bytes, and list, in elements, that an expression may make.
const LARGEST: usize = 16 << 20;

/// Elements of the largest list or object, however deep.
const MOST: usize = 2_000_000;

impl<'p> Eval<'p> {
    /// The value of an expression.
    pub(crate) fn eval(&mut self, env: Env<'_>, expr: &'p Expr) -> Evaluated<Value> {
        self.spend(1, expr.span)?;
        match &expr.kind {
            ExprKind::Literal(value) => Ok(value.clone()),
            ExprKind::Paren(inner) => self.eval(env, inner),
            ExprKind::Template(parts) => self.template(env, parts, expr.span),
            ExprKind::Name(_) | ExprKind::Field(..) | ExprKind::Index(..) | ExprKind::Star(_) => {
                let place = self.place(env, expr)?;
                self.value_of(env, place, expr)
            }
            ExprKind::Call(callee, arguments) => self.call(env, expr, callee, arguments),
            ExprKind::List(items) => self.list(env, items).and_then(|v| self.paid(v, expr.span)),
            ExprKind::Object(fields) => {
                self.object(env, fields).and_then(|value| self.paid(value, expr.span))
            }
            ExprKind::ListFor(comprehension) => {
                self.list_for(env, comprehension).and_then(|value| self.paid(value, expr.span))
            }
            ExprKind::MapFor(comprehension) => {
                self.map_for(env, comprehension).and_then(|value| self.paid(value, expr.span))
            }
            ExprKind::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                let value = self.eval(env, condition)?;
                let holds = self.truth(&value, condition.span)?;
                self.eval(env, if holds { then } else { otherwise })
            }
            ExprKind::Unary(op, operand) => self.unary(env, *op, operand, expr.span),
            ExprKind::Binary(op, operands) => {
                let [left, right] = &**operands;
                self.binary(env, *op, left, right, expr.span)
            }
            ExprKind::Lambda(..) => Err(self.report(
                Diagnostic::error(codes::E0208, expr.span, "`x => …` is no value")
                    .help("it is an argument of methods: `xs.map(x => x + 1)`"),
            )),
            ExprKind::Bad => Err(Stop::Reported),
        }
    }

    /// Puts a place to what an operator or method says.
    pub(super) fn operation_failed(&mut self, error: OpError, at: Span) -> Stop {
        let OpError { code, message, help } = error;
        self.report(Diagnostic::error(code, at, message).help(help))
    }

    fn unary(
        &mut self,
        env: Env<'_>,
        op: UnaryOp,
        operand: &'p Expr,
        at: Span,
    ) -> Evaluated<Value> {
        let value = self.eval(env, operand)?;
        self.refuse_secret(&value, operand.span)?;
        ops::unary(op, &value).map_err(|error| self.operation_failed(error, at))
    }

    fn binary(
        &mut self,
        env: Env<'_>,
        op: BinaryOp,
        left: &'p Expr,
        right: &'p Expr,
        at: Span,
    ) -> Evaluated<Value> {
        if matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Default) {
            return self.lazy(env, op, left, right);
        }
        let (a, b) = (self.eval(env, left), self.eval(env, right));
        let (a, b) = (a?, b?);
        self.refuse_secret(&a, left.span)?;
        self.refuse_secret(&b, right.span)?;
        // To compare what is large takes as long as to make it.
        self.charge(&a, at)?;
        self.charge(&b, at)?;
        let value = ops::binary(op, &a, &b).map_err(|error| self.operation_failed(error, at))?;
        self.charge(&value, at)?;
        Ok(value)
    }

    /// `&&`, `||`, `??`: the right side only when it is needed.
    fn lazy(
        &mut self,
        env: Env<'_>,
        op: BinaryOp,
        left: &'p Expr,
        right: &'p Expr,
    ) -> Evaluated<Value> {
        let value = self.eval(env, left)?;
        if op == BinaryOp::Default {
            return if value == Value::None { self.eval(env, right) } else { Ok(value) };
        }
        let first = self.truth(&value, left.span)?;
        if first == (op == BinaryOp::Or) {
            return Ok(Value::Bool(first));
        }
        let value = self.eval(env, right)?;
        self.truth(&value, right.span).map(Value::Bool)
    }

    pub(super) fn refuse_secret(&mut self, value: &Value, at: Span) -> Evaluated<()> {
        if !matches!(value, Value::Secret(_)) {
            return Ok(());
        }
        Err(self.report(
            Diagnostic::error(codes::E0803, at, "nothing can be computed from a secret")
                .label("a secret")
                .help("it can only stand in a text: `\"user:${password}\"`"),
        ))
    }

    fn paid(&mut self, value: Value, at: Span) -> Evaluated<Value> {
        self.charge(&value, at)?;
        Ok(value)
    }

    /// Pays for the size of a new value.
    pub(super) fn charge(&mut self, value: &Value, at: Span) -> Evaluated<()> {
        // Parts that are shared count as often as they occur: everything that walks over the value
        // later will meet them that often.
        let (size, most) = match value {
            Value::Text(text) => (text.len(), LARGEST),
            Value::List(_) | Value::Map(_) => (weight(value, MOST + 1), MOST),
            _ => return Ok(()),
        };
        if size > most {
            return Err(self.report(
                Diagnostic::error(codes::E0406, at, "this value grows beyond all bounds")
                    .label(format!("more than {most} bytes or elements"))
                    .help("look for texts or lists that double with each step"),
            ));
        }
        self.spend(size as u64 / 16, at)
    }

    fn template(&mut self, env: Env<'_>, parts: &'p [TemplatePart], at: Span) -> Evaluated<Value> {
        let mut text = String::new();
        let mut secret: Vec<SecretPart> = Vec::new();
        let mut stop = None;
        for part in parts {
            match part {
                TemplatePart::Text(part) => text.push_str(part),
                TemplatePart::Expr(expr) => match self.eval(env, expr) {
                    Ok(Value::Secret(parts)) => {
                        if !text.is_empty() {
                            let before = std::mem::take(&mut text);
                            secret.push(SecretPart::Text(Arc::from(before)));
                        }
                        secret.extend(parts.iter().cloned());
                    }
                    Ok(value) => {
                        if let Err(reported) = self.show(&value, &mut text, expr) {
                            stop.get_or_insert(reported);
                        }
                    }
                    Err(error) => worst(&mut stop, error),
                },
            }
        }
        if let Some(stop) = stop {
            return Err(stop);
        }
        if secret.is_empty() {
            let value = Value::Text(Arc::from(text));
            self.charge(&value, at)?;
            return Ok(value);
        }
        if !text.is_empty() {
            secret.push(SecretPart::Text(Arc::from(text)));
        }
        Ok(Value::Secret(secret.into()))
    }

    /// A value inside a text: texts as they are, everything else as it is written.
    fn show(&mut self, value: &Value, text: &mut String, expr: &Expr) -> Evaluated<()> {
        match value {
            Value::Text(part) => text.push_str(part),
            Value::Mac(mac) => {
                let _ = write!(text, "{}", tcloud_model::value::MacText(mac));
            }
            Value::None => {
                return Err(self.report(
                    Diagnostic::error(codes::E0201, expr.span, "this may be absent")
                        .label("nothing to put into the text")
                        .help("say what to write instead: `${x ?? \"none\"}`"),
                ));
            }
            Value::List(_) | Value::Map(_) => {
                let message = format!("{} does not go into a text", shown(value));
                return Err(self.report(
                    Diagnostic::error(codes::E0201, expr.span, message)
                        .help("join a list: `${xs.join(\", \")}`"),
                ));
            }
            other => {
                let _ = write!(text, "{other}");
            }
        }
        Ok(())
    }

    fn list(&mut self, env: Env<'_>, items: &'p [Expr]) -> Evaluated<Value> {
        let mut values = Vec::with_capacity(items.len());
        let mut stop = None;
        for item in items {
            match self.eval(env, item) {
                Ok(value) => values.push(value),
                Err(error) => worst(&mut stop, error),
            }
        }
        stop.map_or_else(|| Ok(Value::list(values)), Err)
    }

    fn object(&mut self, env: Env<'_>, items: &'p [ObjectField]) -> Evaluated<Value> {
        let mut fields = Fields::new();
        let mut stop = None;
        for item in items {
            match self.eval(env, &item.value) {
                Ok(value) => {
                    if fields.insert(item.name.name.clone(), value).is_some() {
                        let message = format!("`{}` is set twice", item.name.name);
                        self.sink.push(
                            Diagnostic::error(codes::E0105, item.name.span, message)
                                .help("remove one of the two"),
                        );
                    }
                }
                Err(error) => worst(&mut stop, error),
            }
        }
        stop.map_or_else(|| Ok(Value::map(fields)), Err)
    }

    fn list_for(&mut self, env: Env<'_>, of: &'p Comprehension) -> Evaluated<Value> {
        let mut values = Vec::new();
        self.comprehend(env, of, &mut |eval, env| {
            values.push(eval.eval(env, &of.value)?);
            Ok(())
        })?;
        Ok(Value::list(values))
    }

    fn map_for(&mut self, env: Env<'_>, of: &'p Comprehension) -> Evaluated<Value> {
        let Some(key_expr) = &of.key else { return Err(Stop::Reported) };
        let mut pairs: Vec<(Name, Value)> = Vec::new();
        self.comprehend(env, of, &mut |eval, env| {
            let key = match eval.eval(env, key_expr)? {
                Value::Text(text) => Name::new(&text),
                Value::Int(number) => Name::from(number.to_string()),
                Value::Ref(address) => address.name().clone(),
                Value::Secret(_) => return Err(eval.secret_decides(key_expr.span, "a key")),
                other => {
                    let message = format!("{} cannot be a key", shown(&other));
                    return Err(eval.report(
                        Diagnostic::error(codes::E0206, key_expr.span, message)
                            .help("keys of maps are texts: `\"${x}\"`"),
                    ));
                }
            };
            pairs.push((key, eval.eval(env, &of.value)?));
            Ok(())
        })?;
        pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        if let Some([(twice, _), _]) = pairs
            .windows(2)
            .find(|pair| pair[0].0 == pair[1].0)
            .and_then(|pair| <&[(Name, Value); 2]>::try_from(pair).ok())
        {
            let message = format!("the key \"{twice}\" comes twice");
            return Err(self.report(
                Diagnostic::error(codes::E0303, key_expr.span, message)
                    .help("make keys that differ"),
            ));
        }
        Ok(Value::map(pairs.into_iter().collect()))
    }

    /// Runs a `for` expression; one pass that waits does not keep the others from being looked at.
    fn comprehend(
        &mut self,
        env: Env<'_>,
        of: &'p Comprehension,
        pass: &mut dyn FnMut(&mut Eval<'p>, Env<'_>) -> Evaluated<()>,
    ) -> Evaluated<()> {
        let over = self.eval(env, &of.repeat.over)?;
        let mut stop = None;
        let mut count = 0_usize;
        self.each(&of.repeat, &over, &mut |eval, first, second| {
            eval.spend(1, of.repeat.span)?;
            count += 1;
            if count > LARGEST {
                eval.bounds.steps = 0;
                return eval.spend(1, of.repeat.span);
            }
            let mut bindings = Vec::with_capacity(2);
            bindings.push((&of.repeat.first.name, first));
            if let (Some(variable), Some(value)) = (&of.repeat.second, second) {
                bindings.push((&variable.name, value));
            }
            let frame = Frame { bindings: &bindings, outer: env.frame };
            let inner = Env { frame: Some(&frame), ..env };
            if let Some(condition) = &of.condition {
                let value = eval.eval(inner, condition)?;
                if !eval.truth(&value, condition.span)? {
                    return Ok(());
                }
            }
            match pass(eval, inner) {
                Err(Stop::Reported) => Err(Stop::Reported),
                Err(late) => {
                    worst(&mut stop, late);
                    Ok(())
                }
                Ok(()) => Ok(()),
            }
        })?;
        stop.map_or(Ok(()), Err)
    }
}

/// A reported mistake weighs more than waiting.
pub(super) fn worst(stop: &mut Option<Stop>, error: Stop) {
    if error == Stop::Reported || stop.is_none() {
        *stop = Some(error);
    }
}

/// How many elements or bytes a method goes through that looks at all of them.
pub(super) fn breadth(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::List(items) => items.len(),
        Value::Map(fields) => fields.len(),
        _ => 0,
    }
}

/// How many elements a value has, however deep, counted up to a bound.
fn weight(value: &Value, most: usize) -> usize {
    let mut weight = 0;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        weight += 1;
        if weight >= most {
            break;
        }
        match value {
            Value::List(items) => open.extend(items.iter()),
            Value::Map(fields) => open.extend(fields.iter().map(|(_, value)| value)),
            _ => {}
        }
    }
    weight
}
