//! Text to tokens: files, held-out split, tokenizers, generated stories.
