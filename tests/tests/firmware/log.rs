//! What a board's log says.

/// What the firmware logs of one demo.
#[derive(Debug)]
pub struct Demo {
    pub name: String,
    /// Those that are logged one by one.
    pub tokens: Vec<u64>,
    /// How many there are in all.
    pub told: u64,
    pub token_digest: u32,
    pub logit_digest: u32,
    /// Instructions per token after the prompt, on average.
    pub instructions: u64,
    /// Bytes of the cache.
    pub cache: u64,
    /// Positions in it.
    pub positions: u64,
    /// Bytes of the workspace.
    pub workspace: u64,
}

/// What the firmware logs of its memory, in bytes.
#[derive(Debug)]
pub struct Memory {
    pub code: u64,
    pub constants: u64,
    /// Of variables, without the stack.
    pub variables: u64,
    pub buffers: u64,
    pub stack_used: u64,
    pub stack_size: u64,
}

/// The demos in a log.
pub fn demos(log: &str) -> Vec<Demo> {
    let mut parts = log.split("demo ");
    parts.next();
    parts
        .map(|part| demo(part).unwrap_or_else(|| panic!("not the log of a demo: {part}")))
        .collect()
}

fn demo(part: &str) -> Option<Demo> {
    let digest = |title| u32::from_str_radix(after(part, title)?.strip_prefix("0x")?, 16).ok();
    let (told, list) = part.lines().find_map(|line| line.split_once(" tokens ["))?;
    let list = list.strip_suffix(']')?;
    let buffers = numbers(after(part, "cache ")?);
    let [cache, positions, workspace] = buffers[..] else { return None };
    Some(Demo {
        name: part.lines().next()?.to_owned(),
        told: *numbers(told).first()?,
        tokens: numbers(list),
        token_digest: digest("digest of the tokens ")?,
        logit_digest: digest("digest of all logits ")?,
        instructions: *numbers(after(part, "instructions per token ")?).first()?,
        cache,
        positions,
        workspace,
    })
}

/// The memory in a log.
pub fn memory(log: &str) -> Memory {
    let line =
        |title| numbers(after(log, title).unwrap_or_else(|| panic!("no `{title}` in {log}")));
    let (flash, ram) = (line("flash: "), line("RAM: "));
    let ([code, constants, _], [variables, buffers, stack_used, stack_size]) =
        (&flash[..], &ram[..])
    else {
        panic!("other numbers of memory in {log}")
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

/// The rest of the line that begins with `title`.
fn after<'l>(log: &'l str, title: &str) -> Option<&'l str> {
    log.lines().find_map(|line| line.strip_prefix(title))
}

fn numbers(line: &str) -> Vec<u64> {
    let words = line.split(|character: char| !character.is_ascii_digit());
    words.filter_map(|word| word.parse().ok()).collect()
}
