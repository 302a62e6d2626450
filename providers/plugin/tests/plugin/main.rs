//! Providers in processes of their own, well-behaved and hostile ones.

mod double;
mod hostile;
mod page;
mod python;
mod served;
