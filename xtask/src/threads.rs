//! Makes a wasm module one that several threads can run: each with an instance and a stack of its own, over one memory.
//!
//! rustc builds such modules only with its unstable flags and a standard library built anew. What is done here needs neither,
//! for the helpers run nothing but loops over numbers: the memory comes from outside, the data goes into it once,
//! and the stack can be moved. The module still runs alone on a memory that is not shared; the page changes one
//! byte ([`UNSHARED`]) where it may share. See `pkg/src/worker/threads.ts`.

use anyhow::{Context, Result, bail, ensure};
use walrus::ir::{LoadKind, MemArg, StoreKind, UnaryOp, Value};
use walrus::{ConstExpr, DataKind, FunctionBuilder, GlobalKind, ImportKind, Module, ModuleConfig};

/// What the import of the memory looks like in a module: its name, that it is a memory, that it has a maximum and is not shared.
const UNSHARED: &[u8] = b"\x06memory\x02\x01";
/// Bytes of a page.
const PAGE: u64 = 1 << 16;
/// All that can be addressed.
const MOST_PAGES: u64 = 1 << 16;

/// Before wasm-bindgen: takes the memory from outside and shows where the stack is.
pub fn open_up(module: &[u8]) -> Result<Module> {
    let mut module = Module::from_buffer(module)?;
    let memory = module.memories.iter().next().context("no memory")?.id();
    let import = module
        .imports
        .add("env", "memory", ImportKind::Memory(memory));
    let memory = module.memories.get_mut(memory);
    ensure!(memory.import.is_none(), "the memory is imported already");
    memory.import = Some(import);
    // A page for the mark that the data is in place.
    memory.initial += 1;
    memory.maximum = Some(MOST_PAGES);
    let stack = module
        .globals
        .iter()
        .find(|global| global.name.as_deref() == Some("__stack_pointer"))
        .context("no global `__stack_pointer`: has the linker renamed it?")?;
    ensure!(
        stack.mutable && matches!(stack.kind, GlobalKind::Local(_)),
        "`__stack_pointer` is not the module's own"
    );
    let stack = stack.id();
    module.exports.add("__stack_pointer", stack);
    Ok(module)
}

/// After wasm-bindgen: puts the data into the memory only if no other instance has done so. Gives the module and the pages its memory
/// begins with.
pub fn keep_data(module: &[u8]) -> Result<(Vec<u8>, u64)> {
    let mut config = ModuleConfig::new();
    config
        .generate_name_section(false)
        .generate_producers_section(false);
    let mut module = config.parse(module)?;
    ensure!(
        module.start.is_none(),
        "the module has a start function already"
    );
    let memory = module.memories.iter().next().context("no memory")?.id();
    let pages = module.memories.get(memory).initial;
    let mark = i32::try_from(pages * PAGE - 4).context("the module's data is too large")?;
    let word = MemArg {
        align: 4,
        offset: 0,
    };

    let mut segments = Vec::new();
    let all: Vec<_> = module.data.iter().map(|data| data.id()).collect();
    for id in all {
        let data = module.data.get_mut(id);
        let DataKind::Active { offset, .. } = &data.kind else {
            bail!("the module has passive data already");
        };
        let ConstExpr::Value(Value::I32(offset)) = *offset else {
            bail!("the module has data whose place is not a number");
        };
        let length = i32::try_from(data.value.len()).context("the module's data is too large")?;
        segments.push((id, offset, length));
        data.kind = DataKind::Passive;
    }
    module.memories.get_mut(memory).data_segments.clear();

    let mut start = FunctionBuilder::new(&mut module.types, &[], &[]);
    start
        .func_body()
        .i32_const(mark)
        .load(memory, LoadKind::I32 { atomic: false }, word)
        .unop(UnaryOp::I32Eqz)
        .if_else(
            None,
            |first| {
                for (data, offset, length) in segments {
                    first
                        .i32_const(offset)
                        .i32_const(0)
                        .i32_const(length)
                        .memory_init(memory, data);
                }
                first.i32_const(mark).i32_const(1).store(
                    memory,
                    StoreKind::I32 { atomic: false },
                    word,
                );
            },
            |_| {},
        );
    let start = start.finish(Vec::new(), &mut module.funcs);
    module.start = Some(start);
    let bytes = module.emit_wasm();
    let found = bytes
        .windows(UNSHARED.len())
        .filter(|window| *window == UNSHARED)
        .count();
    ensure!(
        found == 1,
        "the import of the memory is found {found} times: the page would not know which byte to change"
    );
    Ok((bytes, pages))
}

/// wasm-bindgen's JavaScript for a memory that may be shared: views of it are not what browsers decode, fill and encode into, and
/// one that has grown keeps its old views alive. It also names the module's address and its pages.
pub fn share_glue(glue: &str, pages: u64) -> Result<String> {
    let mut glue = glue.to_owned();
    let mut change = |from: &str, to: &str| {
        if glue.contains(from) {
            glue = glue.replace(from, to);
            Ok(())
        } else {
            bail!(
                "wasm-bindgen no longer writes `{from}`: look at what it writes for a memory that may be shared"
            )
        }
    };
    for kind in ["Uint8Array", "Uint32Array", "Float32Array", "Float64Array"] {
        change(
            &format!("cached{kind}Memory0.byteLength === 0"),
            &format!("cached{kind}Memory0.buffer !== wasm.memory.buffer"),
        )?;
    }
    change(
        "decodeText(getUint8ArrayMemory0().subarray(ptr, ptr + len))",
        "decodeText(getUint8ArrayMemory0().slice(ptr, ptr + len))",
    )?;
    change(
        "const ret = cachedTextEncoder.encodeInto(arg, view);",
        "const bytes = cachedTextEncoder.encode(arg);\n        view.set(bytes);\n        const ret = { written: bytes.length };",
    )?;
    change(
        "globalThis.crypto.getRandomValues(getArrayU8FromWasm0(arg0, arg1));",
        "getArrayU8FromWasm0(arg0, arg1).set(globalThis.crypto.getRandomValues(new Uint8Array(arg1)));",
    )?;
    change(
        "module_or_path = new URL('seedbed_bg.wasm', import.meta.url);",
        "module_or_path = address;",
    )?;
    Ok(format!(
        "{glue}\nexport const address = new URL('seedbed_bg.wasm', import.meta.url);\nexport const pages = {pages};\n"
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use walrus::ir::BinaryOp;
    use walrus::{FunctionId, ValType};

    use super::*;

    /// What rustc leaves: a memory of its own with data in it, a stack pointer, a function.
    fn module() -> Vec<u8> {
        let mut module = Module::default();
        let memory = module.memories.add_local(false, false, 1, None, None);
        let place = ConstExpr::Value(Value::I32(1024));
        module.data.add(
            DataKind::Active {
                memory,
                offset: place,
            },
            b"seed".to_vec(),
        );
        let stack = module.globals.add_local(
            ValType::I32,
            true,
            false,
            ConstExpr::Value(Value::I32(65_536)),
        );
        module.globals.get_mut(stack).name = Some("__stack_pointer".into());
        let twice: FunctionId = {
            let mut twice =
                FunctionBuilder::new(&mut module.types, &[ValType::I32], &[ValType::I32]);
            let given = module.locals.add(ValType::I32);
            twice
                .func_body()
                .local_get(given)
                .local_get(given)
                .binop(BinaryOp::I32Add);
            twice.finish(vec![given], &mut module.funcs)
        };
        module.exports.add("twice", twice);
        module.exports.add("memory", memory);
        module.emit_wasm()
    }

    #[test]
    fn memory_comes_from_outside_and_data_goes_into_it_once() {
        let mut opened = open_up(&module()).unwrap();
        let (bytes, pages) = keep_data(&opened.emit_wasm()).unwrap();
        // One of its own and one for the mark.
        assert_eq!(pages, 2);
        let done = Module::from_buffer(&bytes).unwrap();
        let memory = done.memories.iter().next().unwrap();
        assert!(memory.import.is_some() && !memory.shared);
        assert_eq!((memory.initial, memory.maximum), (2, Some(MOST_PAGES)));
        assert!(
            done.data
                .iter()
                .all(|data| matches!(data.kind, DataKind::Passive))
        );
        assert!(done.start.is_some());
        let exported: Vec<&str> = done.exports.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(exported, ["twice", "memory", "__stack_pointer"]);
    }

    #[test]
    fn a_module_that_is_not_as_known_is_refused_by_what_is_missing() {
        let refused = |error: anyhow::Error| format!("{error:#}");
        let mut without_stack = Module::from_buffer(&module()).unwrap();
        let stack = without_stack.globals.iter().next().unwrap().id();
        without_stack.globals.get_mut(stack).name = None;
        let error = open_up(&without_stack.emit_wasm()).unwrap_err();
        assert!(refused(error).contains("__stack_pointer"));
        let opened = open_up(&module()).unwrap().emit_wasm();
        let (once, _) = keep_data(&opened).unwrap();
        assert!(refused(keep_data(&once).unwrap_err()).contains("start function"));
        let error = share_glue("export const nothing = 0;", 1).unwrap_err();
        assert!(refused(error).contains("Uint8ArrayMemory0"));
    }
}
