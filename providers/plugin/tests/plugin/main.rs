//! Providers in processes of their own, well-behaved and hostile ones.

mod double;
mod hostile;
mod python;
mod served;
