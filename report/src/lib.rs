//! Plans and runs as text for people and programs
