//! Who may change something that several operations share: a network takes reservations from many
//! guests at once but is redefined by one; a pool takes volumes from many and is stopped by one.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, PoisonError};

/// Locks by name, for threads that may block.
#[derive(Debug, Default)]
pub(crate) struct Guards {
    users: Mutex<HashMap<String, Users>>,
    left: Condvar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Users {
    Several(usize),
    One,
}

/// What is held, until it is dropped.
#[must_use]
#[derive(Debug)]
pub(crate) struct Guard<'a> {
    guards: &'a Guards,
    name: String,
}

impl Guards {
    /// Waits until nobody has it alone.
    pub(crate) fn shared(&self, name: &str) -> Guard<'_> {
        self.enter(name, |users| match users {
            None => Some(Users::Several(1)),
            Some(Users::Several(n)) => Some(Users::Several(n + 1)),
            Some(Users::One) => None,
        })
    }

    /// Waits until nobody else has it.
    pub(crate) fn exclusive(&self, name: &str) -> Guard<'_> {
        self.enter(name, |users| users.is_none().then_some(Users::One))
    }

    fn enter(&self, name: &str, with: impl Fn(Option<Users>) -> Option<Users>) -> Guard<'_> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(now) = with(users.get(name).copied()) {
                users.insert(name.to_owned(), now);
                return Guard { guards: self, name: name.to_owned() };
            }
            users = self.left.wait(users).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let mut users = self.guards.users.lock().unwrap_or_else(PoisonError::into_inner);
        match users.get(&self.name).copied() {
            Some(Users::Several(n)) if n > 1 => {
                users.insert(self.name.clone(), Users::Several(n - 1));
            }
            _ => {
                users.remove(&self.name);
            }
        }
        drop(users);
        self.guards.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn one_alone_or_several_together() {
        let guards = Guards::default();
        let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for own in 0..8 {
                let (guards, inside, most) = (&guards, &inside, &most);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let alone = own % 2 == 0;
                        let guard = if alone { guards.exclusive("a") } else { guards.shared("a") };
                        let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                        assert!(!alone || now == 1);
                        most.fetch_max(now, Ordering::SeqCst);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(guard);
                    }
                });
            }
        });
        let (_a, _b) = (guards.shared("a"), guards.exclusive("b"));
        let _c = guards.shared("a");
        assert_eq!(guards.users.lock().expect("a lock").len(), 2);
    }
}
