//! The interpreter that this machine has; where it has none, the tests say so and end.

use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

/// The interpreter, unless there is none to be had.
fn started() -> Option<&'static Interpreter> {
    match interpreter() {
        Ok(interpreter) => Some(interpreter),
        Err(fault) => {
            eprintln!("skipped: {fault}");
            None
        }
    }
}

fn call(text: &str, arguments: &[&str]) -> Option<Result<String, Fault>> {
    // Tests share the interpreter and may run at once, so each call has a module of its own.
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let interpreter = started()?;
    let name = format!("tilemark_test_{}", CALLS.fetch_add(1, Ordering::Relaxed));
    let module = interpreter.module(&CString::new(name).unwrap(), c"test.py", text);
    let result = module
        .and_then(|module| module.attribute(c"run")?.call(arguments))
        .and_then(|value| value.display());
    Some(result)
}

fn check(text: &str, arguments: &[&str], expected: Result<&str, &str>) {
    if let Some(found) = call(text, arguments) {
        let found = found.map_err(|fault| fault.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expected);
    }
}

#[test]
fn a_function_of_a_module_is_called_with_texts() {
    let text = "def run(a, b):\n    return a[::-1] + b\n";
    check(text, &["drow", "ly ünïcode"], Ok("wordly ünïcode"));
}

#[test]
fn an_exception_is_the_last_line_of_its_traceback() {
    let text = "def run():\n    raise ValueError('bad shape\\nand more')\n";
    check(text, &[], Err("crash: ValueError: bad shape"));
    check("def run(:\n", &[], Err("crash: SyntaxError: invalid syntax (test.py, line 1)"));
}

#[test]
fn what_python_lacks_is_unsupported_rather_than_a_crash() {
    check(
        "import no_such_module_of_ours\n",
        &[],
        Err("unsupported: ModuleNotFoundError: No module named 'no_such_module_of_ours'"),
    );
    let text = "def run():\n    raise NotImplementedError('not this one')\n";
    check(text, &[], Err("unsupported: NotImplementedError: not this one"));
}

#[test]
fn a_failure_does_not_outlive_its_call() {
    check(
        "def run():\n    return 1 // 0\n",
        &[],
        Err("crash: ZeroDivisionError: integer division or modulo by zero"),
    );
    check("def run():\n    return 1 + 1\n", &[], Ok("2"));
}

#[test]
fn a_module_is_imported_by_the_next() {
    let Some(interpreter) = started() else { return };
    interpreter.module(c"tilemark_first", c"first.py", "value = 41\n").unwrap();
    check(
        "import tilemark_first\ndef run():\n    return tilemark_first.value + 1\n",
        &[],
        Ok("42"),
    );
}

#[test]
fn a_list_is_taken_apart_and_none_is_not_true() {
    let Some(interpreter) = started() else { return };
    let module =
        interpreter.module(c"tilemark_list", c"list.py", "x = [('a', None), ('b', len)]\n");
    let items = module.unwrap().attribute(c"x").unwrap().items().unwrap();
    let found: Vec<_> = items
        .iter()
        .map(|item| item.items().unwrap())
        .map(|pair| (pair[0].text().unwrap(), pair[1].is_true()))
        .collect();
    assert_eq!(found, [("a".to_owned(), false), ("b".to_owned(), true)]);
    assert!(interpreter.module(c"tilemark_n", c"n.py", "x = 7\n").unwrap().items().is_err());
}

#[test]
fn threads_take_turns() {
    let Some(interpreter) = started() else { return };
    let text = "def run(n):\n    return sum(range(int(n)))\n";
    std::thread::scope(|scope| {
        for n in 1..5u32 {
            scope.spawn(move || {
                let name = CString::new(format!("tilemark_thread_{n}")).unwrap();
                let module = interpreter.module(&name, c"thread.py", text).unwrap();
                for _ in 0..100 {
                    let sum = module.attribute(c"run").unwrap().call(&[&n.to_string()]).unwrap();
                    assert_eq!(sum.display().unwrap(), (n * (n - 1) / 2).to_string());
                }
            });
        }
    });
}

#[test]
fn an_interpreter_without_its_library_says_where_it_was_looked_for() {
    let installation = Installation {
        executable: "/opt/python3".to_owned(),
        version: "3.99.0".to_owned(),
        libraries: vec!["/opt/libpython3.99.so.1.0".to_owned()],
        ..Installation::default()
    };
    let reason = Interpreter::start(installation).err().expect("there is no such library");
    assert!(reason.starts_with("no shared library of /opt/python3 3.99.0: "), "{reason}");
    assert!(reason.contains("/opt/libpython3.99.so.1.0"), "{reason}");
}
