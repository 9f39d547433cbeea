//! A QEMU plugin that counts the executed instructions per function and per address.
//!
//! ```sh
//! cargo build --release --manifest-path embedded-demo/runner/Cargo.toml --package expe-firmware-profiler
//! cargo run --manifest-path embedded-demo/runner/Cargo.toml --bin bench -- mps2-an386 --only s1-int8-expe \
//!   --plugin $PWD/embedded-demo/runner/target/release/libexpe_firmware_profiler.so,out=profile.txt
//! ```
//!
//! QEMU translates code in blocks. The plugin counts the executions of each block, and at the end attributes them to
//! the instructions of the block. The file `out` has two kinds of lines: `function NAME INSTRUCTIONS`, in decreasing
//! order, then `address HEX TIMES` for every instruction. The interface is documented in `qemu-plugin.h` of QEMU 7.2.

use std::{
    collections::HashMap,
    ffi::{CStr, c_char, c_int, c_uint, c_void},
    fmt::Write as _,
    fs,
    sync::Mutex,
};

/// Version of the interface that this plugin uses.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: c_int = 1;

/// A block of translated code.
#[repr(C)]
struct Block([u8; 0]);
/// An instruction of a block.
#[repr(C)]
struct Instruction([u8; 0]);

type OnTranslation = extern "C" fn(u64, *mut Block);
type OnExecution = extern "C" fn(c_uint, *mut c_void);
type OnExit = extern "C" fn(u64, *mut c_void);

unsafe extern "C" {
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: u64, call: OnTranslation);
    fn qemu_plugin_register_vcpu_tb_exec_cb(
        block: *mut Block,
        call: OnExecution,
        flags: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_register_atexit_cb(id: u64, call: OnExit, data: *mut c_void);
    fn qemu_plugin_tb_n_insns(block: *const Block) -> usize;
    fn qemu_plugin_tb_get_insn(block: *const Block, index: usize) -> *mut Instruction;
    fn qemu_plugin_insn_vaddr(instruction: *const Instruction) -> u64;
    fn qemu_plugin_insn_symbol(instruction: *const Instruction) -> *const c_char;
}

/// The addresses of the instructions of a block, and the number of its executions.
struct Profile {
    instructions: Vec<u64>,
    times: u64,
}

/// All blocks, the function at every address, and the output file.
#[derive(Default)]
struct State {
    blocks: Vec<&'static Mutex<Profile>>,
    functions: HashMap<u64, String>,
    out: String,
}

static STATE: Mutex<Option<State>> = Mutex::new(None);

/// Called by QEMU when it loads the plugin.
///
/// # Safety
/// `arguments` must point to `count` valid C strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: u64,
    _: *const c_void,
    count: c_int,
    arguments: *const *const c_char,
) -> c_int {
    // SAFETY: QEMU passes `count` strings.
    let arguments = (0..count as usize).map(|i| unsafe { CStr::from_ptr(*arguments.add(i)) });
    let out =
        arguments.filter_map(|argument| argument.to_str().ok()?.strip_prefix("out=")).next_back();
    let Some(out) = out else {
        eprintln!("profiler: the argument out=FILE is missing");
        return 1;
    };
    if let Ok(mut state) = STATE.lock() {
        *state = Some(State { out: out.to_owned(), ..State::default() });
    }
    // SAFETY: the functions have the types that QEMU expects.
    unsafe {
        qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
        qemu_plugin_register_atexit_cb(id, ended, std::ptr::null_mut());
    }
    0
}

extern "C" fn translated(_: u64, block: *mut Block) {
    let Ok(mut state) = STATE.lock() else { return };
    let Some(state) = state.as_mut() else { return };
    // SAFETY: the block and its instructions are valid during this call; a symbol is a string that
    // lives as long as the emulator.
    unsafe {
        let mut instructions = Vec::new();
        for index in 0..qemu_plugin_tb_n_insns(block) {
            let instruction = qemu_plugin_tb_get_insn(block, index);
            let address = qemu_plugin_insn_vaddr(instruction);
            let symbol = qemu_plugin_insn_symbol(instruction);
            if !symbol.is_null() {
                let name = CStr::from_ptr(symbol).to_string_lossy();
                state.functions.entry(address).or_insert_with(|| name.into_owned());
            }
            instructions.push(address);
        }
        let profile: &'static _ =
            Box::leak(Box::new(Mutex::new(Profile { instructions, times: 0 })));
        state.blocks.push(profile);
        let data = std::ptr::from_ref(profile).cast_mut().cast();
        qemu_plugin_register_vcpu_tb_exec_cb(block, executed, 0, data);
    }
}

extern "C" fn executed(_: c_uint, profile: *mut c_void) {
    // SAFETY: `profile` is a box that `translated` leaked.
    let profile = unsafe { &*profile.cast::<Mutex<Profile>>().cast_const() };
    if let Ok(mut profile) = profile.lock() {
        profile.times += 1;
    }
}

extern "C" fn ended(_: u64, _: *mut c_void) {
    let Ok(mut state) = STATE.lock() else { return };
    let Some(State { blocks, functions, out }) = state.take() else { return };
    let (mut by_address, mut by_function) = (HashMap::new(), HashMap::new());
    for profile in blocks.iter().filter_map(|profile| profile.lock().ok()) {
        for address in &profile.instructions {
            *by_address.entry(*address).or_insert(0u64) += profile.times;
            let name = functions.get(address).map_or("?", String::as_str);
            *by_function.entry(name).or_insert(0u64) += profile.times;
        }
    }
    let mut by_function: Vec<_> = by_function.into_iter().collect();
    by_function.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut by_address: Vec<_> = by_address.into_iter().collect();
    by_address.sort_unstable();
    let mut text = String::new();
    for (name, count) in by_function {
        let _ = writeln!(text, "function {name} {count}");
    }
    for (address, count) in by_address {
        let _ = writeln!(text, "address {address:x} {count}");
    }
    if let Err(error) = fs::write(&out, text) {
        eprintln!("profiler: {out}: {error}");
    }
}
