//! What others wrote arrives as text, in every channel.
