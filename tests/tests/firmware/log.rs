//! Parses the log of a board.

/// The log of one demo.
#[derive(Debug)]
pub struct Demo {
    pub name: String,
    /// Tokens that are logged one by one.
    pub tokens: Vec<u64>,
    /// Number of all generated tokens.
    pub generated: u64,
    pub token_digest: u32,
    pub logit_digest: u32,
    /// Mean instructions per token after the prompt.
    pub instructions: u64,
    /// Size of the cache in bytes.
    pub cache: u64,
    /// Positions in the cache.
    pub positions: u64,
    /// Size of the workspace in bytes.
    pub workspace: u64,
}

/// The use of flash and RAM, in bytes.
#[derive(Debug)]
pub struct Memory {
    pub code: u64,
    pub constants: u64,
    /// Variables, without the stack.
    pub variables: u64,
    pub buffers: u64,
    pub stack_used: u64,
    pub stack_size: u64,
}

/// Parses the demos in a log.
pub fn demos(log: &str) -> Vec<Demo> {
    let sections = log.split("demo ").skip(1);
    sections
        .map(|section| demo(section).unwrap_or_else(|| panic!("not the log of a demo: {section}")))
        .collect()
}

fn demo(section: &str) -> Option<Demo> {
    let digest = |title| u32::from_str_radix(after(section, title)?.strip_prefix("0x")?, 16).ok();
    let (count, list) = section.lines().find_map(|line| line.split_once(" tokens ["))?;
    let list = list.strip_suffix(']')?;
    let buffers = numbers(after(section, "cache ")?);
    let [cache, positions, workspace] = buffers[..] else { return None };
    Some(Demo {
        name: section.lines().next()?.to_owned(),
        generated: *numbers(count).first()?,
        tokens: numbers(list),
        token_digest: digest("digest of the tokens ")?,
        logit_digest: digest("digest of all logits ")?,
        instructions: *numbers(after(section, "instructions per token ")?).first()?,
        cache,
        positions,
        workspace,
    })
}

/// Parses the use of memory in a log.
pub fn memory(log: &str) -> Memory {
    let line =
        |title| numbers(after(log, title).unwrap_or_else(|| panic!("no `{title}` in {log}")));
    let (flash, ram) = (line("flash: "), line("RAM: "));
    let ([code, constants, _], [variables, buffers, stack_used, stack_size]) =
        (&flash[..], &ram[..])
    else {
        panic!("unexpected numbers in the memory lines of {log}")
    };
    Memory {
        code: *code,
        constants: *constants,
        variables: *variables,
        buffers: *buffers,
        stack_used: *stack_used,
        stack_size: *stack_size,
    }
}

/// Returns the rest of the line that begins with `title`.
fn after<'l>(log: &'l str, title: &str) -> Option<&'l str> {
    log.lines().find_map(|line| line.strip_prefix(title))
}

fn numbers(line: &str) -> Vec<u64> {
    let words = line.split(|character: char| !character.is_ascii_digit());
    words.filter_map(|word| word.parse().ok()).collect()
}
