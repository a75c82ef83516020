//! A reference to something of Python's. Every method takes the interpreter's lock for its duration.

use super::api::PyObject;
use super::{Interpreter, infra};
use std::ffi::CStr;
use tilemark_core::Fault;

/// A counted reference.
pub struct Object<'i> {
    interpreter: &'i Interpreter,
    raw: *mut PyObject,
}

impl<'i> Object<'i> {
    /// Takes over a new reference, which is not null.
    pub(super) fn new(interpreter: &'i Interpreter, raw: *mut PyObject) -> Self {
        Object { interpreter, raw }
    }

    pub(super) fn raw(&self) -> *mut PyObject {
        self.raw
    }

    /// The attribute of that name.
    pub fn attribute(&self, name: &CStr) -> Result<Object<'i>, Fault> {
        let _lock = self.interpreter.lock();
        // SAFETY: the lock is held, the name ends in zero, and what comes back is new or null.
        unsafe { self.interpreter.owned((self.interpreter.api.attribute)(self.raw, name.as_ptr())) }
    }

    /// Calls it with texts.
    pub fn call(&self, arguments: &[&str]) -> Result<Object<'i>, Fault> {
        let interpreter = self.interpreter;
        let _lock = interpreter.lock();
        let mut held = Vec::with_capacity(arguments.len());
        for text in arguments {
            // SAFETY: the lock is held and the text is as long as is said.
            let raw =
                unsafe { (interpreter.api.text_from)(text.as_ptr().cast(), text.len() as isize) };
            // SAFETY: the lock is held, and the reference is new or null.
            held.push(unsafe { interpreter.owned(raw)? });
        }
        let raw: Vec<*mut PyObject> = held.iter().map(Object::raw).collect();
        // SAFETY: the lock is held, there are as many arguments as is said, and no named ones.
        unsafe {
            let called = &interpreter.api.call;
            interpreter.owned(called(self.raw, raw.as_ptr(), raw.len(), std::ptr::null_mut()))
        }
    }

    /// The items of a list or tuple.
    pub fn items(&self) -> Result<Vec<Object<'i>>, Fault> {
        let _lock = self.interpreter.lock();
        // SAFETY: the lock is held; a negative length says that this is no sequence.
        let length = unsafe { (self.interpreter.api.length)(self.raw) };
        if length < 0 {
            // SAFETY: the lock is held.
            return Err(unsafe { self.interpreter.exception() });
        }
        // SAFETY: the lock is held, and each item comes back new or null.
        let item =
            |at| unsafe { self.interpreter.owned((self.interpreter.api.item)(self.raw, at)) };
        (0..length).map(item).collect()
    }

    /// Whether Python takes it for true; None, for one, is not.
    pub fn is_true(&self) -> bool {
        let _lock = self.interpreter.lock();
        // SAFETY: the lock is held.
        unsafe { (self.interpreter.api.is_true)(self.raw) > 0 }
    }

    /// A text of Python's.
    pub fn text(&self) -> Result<String, Fault> {
        let _lock = self.interpreter.lock();
        let mut length = 0;
        // SAFETY: the lock is held; the bytes belong to the object, which is alive while they are
        // copied, and are as many as is said.
        unsafe {
            let bytes = (self.interpreter.api.text)(self.raw, &mut length);
            if bytes.is_null() {
                return Err(self.interpreter.exception());
            }
            let bytes = std::slice::from_raw_parts(bytes.cast::<u8>(), length as usize);
            String::from_utf8(bytes.to_vec()).map_err(|_| infra("Python's UTF-8 is none"))
        }
    }

    /// What Python prints for it.
    pub fn display(&self) -> Result<String, Fault> {
        let _lock = self.interpreter.lock();
        // SAFETY: the lock is held, and what comes back is new or null.
        let text = unsafe { self.interpreter.owned((self.interpreter.api.display)(self.raw)) };
        text?.text()
    }
}

impl Drop for Object<'_> {
    fn drop(&mut self) {
        let _lock = self.interpreter.lock();
        // SAFETY: the lock is held, and this reference is given up once.
        unsafe { (self.interpreter.api.forget)(self.raw) }
    }
}
