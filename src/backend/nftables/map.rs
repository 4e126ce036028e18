//! What the nftnl crate lacks, on libnftnl itself: maps with concatenated keys and
//! data, elements with an end and a comment, loads into any register, and a place for
//! a message that is not one of its paged batches. The only `unsafe` of this program.
#![allow(unsafe_code)]
// libnftnl's constants are wider than the parameters that take them.
#![allow(clippy::cast_possible_truncation)]

use std::cell::Cell;
use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;

use nftnl::expr::Expression;
use nftnl::nftnl_sys::{self as sys, libc};
use nftnl::{MsgType, NlMsg, Rule, nft_nlmsg_maxsize};

use super::element::Element;
use super::frame::{self, Set};
use super::wire;

/// Room for one message of any size.
pub(super) struct Scratch(Vec<u64>);

impl Scratch {
    pub(super) fn new() -> Self {
        Self(vec![0; (nft_nlmsg_maxsize() as usize).div_ceil(size_of::<u64>())])
    }

    /// The bytes of `message`.
    pub(super) fn write(&mut self, message: &impl NlMsg, kind: MsgType, sequence: u32) -> &[u8] {
        let start = self.0.as_mut_ptr();
        // SAFETY: the vector has the `nft_nlmsg_maxsize()` bytes that `write` asks for,
        // aligned for a `struct nlmsghdr`, and nothing else refers to it.
        unsafe { message.write(start.cast::<c_void>(), sequence, kind) };
        // SAFETY: any initialised `u64`s are valid bytes; there are 8 in each of them,
        // and the slice borrows the vector.
        let bytes = unsafe {
            std::slice::from_raw_parts(start.cast::<u8>(), self.0.len() * size_of::<u64>())
        };
        let length = u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        &bytes[..length as usize]
    }
}

/// A set or map of ours as libnftnl keeps it, with the elements that are to be written.
pub(super) struct NativeSet(NonNull<sys::nftnl_set>);

impl NativeSet {
    /// A list of elements of `set`.
    pub(super) fn list(set: Set) -> Self {
        // SAFETY: no preconditions; the result is checked.
        let native = Self(allocated(unsafe { sys::nftnl_set_alloc() }));
        native.set_text(sys::NFTNL_SET_TABLE, frame::TABLE);
        native.set_text(sys::NFTNL_SET_NAME, set.name());
        native.set_number(sys::NFTNL_SET_FAMILY, u32::from(wire::INET));
        native
    }

    /// The definition of `set`, with an `id` that the kernel wants for each in a batch.
    pub(super) fn definition(set: Set, id: u32) -> Self {
        let native = Self::list(set);
        for (attribute, value) in [
            (sys::NFTNL_SET_ID, id),
            (sys::NFTNL_SET_FLAGS, set.flags()),
            (sys::NFTNL_SET_KEY_TYPE, set.key_type()),
            (sys::NFTNL_SET_KEY_LEN, set.key_length()),
        ] {
            native.set_number(attribute, value);
        }
        if let Some((kind, length)) = set.data() {
            native.set_number(sys::NFTNL_SET_DATA_TYPE, kind);
            native.set_number(sys::NFTNL_SET_DATA_LEN, length);
        }
        if set.is_interval() {
            native.set_data(sys::NFTNL_SET_DESC_CONCAT, &set.part_lengths());
        }
        // What nft wants to know for printing: the byte orders of key (a concatenation
        // has none, 0) and data (a mark has the host's, 1, an address the network's, 2).
        let mut userdata = UserData::new();
        userdata.put_number(sys::NFTNL_UDATA_SET_KEYBYTEORDER, 0);
        if set.data().is_some() {
            let order = if set.is_source() { 2 } else { 1 };
            userdata.put_number(sys::NFTNL_UDATA_SET_DATABYTEORDER, order);
        }
        native.set_data(sys::NFTNL_SET_USERDATA, userdata.as_bytes());
        if set.counts() {
            let counter = expression(c"counter", &[]);
            // SAFETY: both live, and the set owns the expression from here on.
            unsafe { sys::nftnl_set_add_expr(native.0.as_ptr(), counter.as_ptr()) };
        }
        native
    }

    /// Adds an element to those that [`NativeSet::pages`] writes.
    pub(super) fn push(&mut self, element: &Element<'_>) {
        // SAFETY: no preconditions; the result is checked.
        let native = allocated(unsafe { sys::nftnl_set_elem_alloc() });
        let put = |attribute: u32, bytes: &[u8]| {
            // SAFETY: the element lives, and libnftnl copies the bytes. Each of the
            // attributes below takes any length: keys and data up to 64 bytes
            // (`union nftnl_data_reg`; ours are 24 and 16), user data of its own size.
            let result = unsafe {
                sys::nftnl_set_elem_set(
                    native.as_ptr(),
                    narrow(attribute),
                    bytes.as_ptr().cast::<c_void>(),
                    length(bytes),
                )
            };
            enough_memory(result);
        };
        put(sys::NFTNL_SET_ELEM_KEY, element.key.as_bytes());
        if let Some(end) = &element.key_end {
            put(sys::NFTNL_SET_ELEM_KEY_END, end.as_bytes());
        }
        if let Some(mark) = element.mark {
            put(sys::NFTNL_SET_ELEM_DATA, &mark.to_ne_bytes());
        }
        match element.source {
            Some(IpAddr::V4(source)) => put(sys::NFTNL_SET_ELEM_DATA, &source.octets()),
            Some(IpAddr::V6(source)) => put(sys::NFTNL_SET_ELEM_DATA, &source.octets()),
            None => {}
        }
        if let Some(comment) = &element.comment {
            let mut userdata = UserData::new();
            userdata.put_text(sys::NFTNL_UDATA_SET_ELEM_COMMENT, comment);
            put(sys::NFTNL_SET_ELEM_USERDATA, userdata.as_bytes());
        }
        // SAFETY: both live, and the set owns the element from here on.
        unsafe { sys::nftnl_set_elem_add(self.0.as_ptr(), native.as_ptr()) };
    }

    /// The elements, as many in each message as an attribute of 64 KiB holds.
    pub(super) fn pages(&self) -> Pages<'_> {
        // SAFETY: the set lives; the result is checked.
        let iter = allocated(unsafe { sys::nftnl_set_elems_iter_create(self.0.as_ptr()) });
        Pages { iter, more: Cell::new(true), set: PhantomData }
    }

    fn set_number(&self, attribute: sys::nftnl_set_attr, value: u32) {
        // SAFETY: the set lives, and every attribute that is passed here holds a u32.
        unsafe { sys::nftnl_set_set_u32(self.0.as_ptr(), narrow(attribute), value) };
    }

    fn set_text(&self, attribute: sys::nftnl_set_attr, value: &CStr) {
        // SAFETY: the set lives, and libnftnl copies the text.
        let result =
            unsafe { sys::nftnl_set_set_str(self.0.as_ptr(), narrow(attribute), value.as_ptr()) };
        enough_memory(result);
    }

    fn set_data(&self, attribute: sys::nftnl_set_attr, bytes: &[u8]) {
        // SAFETY: the set lives, and libnftnl copies the bytes; user data may have any
        // length, and the lengths of parts are at most 16 (ours are 3).
        let result = unsafe {
            let data = bytes.as_ptr().cast::<c_void>();
            sys::nftnl_set_set_data(self.0.as_ptr(), narrow(attribute), data, length(bytes))
        };
        enough_memory(result);
    }
}

impl Drop for NativeSet {
    fn drop(&mut self) {
        // SAFETY: allocated in `new`, freed only here, together with its elements and
        // its expression.
        unsafe { sys::nftnl_set_free(self.0.as_ptr()) };
    }
}

// SAFETY: the definition of one of our sets is some 150 bytes.
unsafe impl NlMsg for NativeSet {
    unsafe fn write(&self, buf: *mut c_void, sequence: u32, kind: MsgType) {
        let kind = if kind == MsgType::Add { libc::NFT_MSG_NEWSET } else { libc::NFT_MSG_DELSET };
        // SAFETY: the caller gives room for a message of any size; the set lives.
        unsafe {
            let header = put_header(buf, kind, sequence);
            sys::nftnl_set_nlmsg_build_payload(header, self.0.as_ptr());
        }
    }
}

/// The elements of a set, one message after another.
pub(super) struct Pages<'a> {
    iter: NonNull<sys::nftnl_set_elems_iter>,
    more: Cell<bool>,
    set: PhantomData<&'a NativeSet>,
}

impl Pages<'_> {
    /// Whether there is another message to write.
    pub(super) fn remain(&self) -> bool {
        self.more.get()
    }
}

impl Drop for Pages<'_> {
    fn drop(&mut self) {
        // SAFETY: allocated in `pages`, freed only here.
        unsafe { sys::nftnl_set_elems_iter_destroy(self.iter.as_ptr()) };
    }
}

// SAFETY: libnftnl stops at the element with which the list would be longer than an
// attribute can be; `nft_nlmsg_maxsize()` is made for this very message.
unsafe impl NlMsg for Pages<'_> {
    unsafe fn write(&self, buf: *mut c_void, sequence: u32, kind: MsgType) {
        let kind = match kind {
            MsgType::Add => libc::NFT_MSG_NEWSETELEM,
            MsgType::Del => libc::NFT_MSG_DELSETELEM,
        };
        // SAFETY: the caller gives room for a message of any size; the iterator lives,
        // and so does the set that it walks, which is borrowed.
        let more = unsafe {
            let header = put_header(buf, kind, sequence);
            sys::nftnl_set_elems_nlmsg_build_payload_iter(header, self.iter.as_ptr())
        };
        self.more.set(more > 0);
    }
}

/// `meta load KEY` into any register.
pub(super) struct MetaInto {
    /// `NFT_META_*`.
    pub(super) key: u32,
    /// The register, in words.
    pub(super) word: u32,
}

impl Expression for MetaInto {
    fn to_expr(&self, _: &Rule<'_>) -> NonNull<sys::nftnl_expr> {
        let Self { key, word } = *self;
        expression(
            c"meta",
            &[(sys::NFTNL_EXPR_META_KEY, key), (sys::NFTNL_EXPR_META_DREG, register(word))],
        )
    }
}

/// `payload load` into any register.
pub(super) struct PayloadInto {
    /// `NFT_PAYLOAD_*`.
    pub(super) base: u32,
    /// Where, in bytes.
    pub(super) offset: u32,
    /// How much, in bytes.
    pub(super) length: u32,
    /// The register, in words.
    pub(super) word: u32,
}

impl Expression for PayloadInto {
    fn to_expr(&self, _: &Rule<'_>) -> NonNull<sys::nftnl_expr> {
        let Self { base, offset, length, word } = *self;
        expression(
            c"payload",
            &[
                (sys::NFTNL_EXPR_PAYLOAD_BASE, base),
                (sys::NFTNL_EXPR_PAYLOAD_OFFSET, offset),
                (sys::NFTNL_EXPR_PAYLOAD_LEN, length),
                (sys::NFTNL_EXPR_PAYLOAD_DREG, register(word)),
            ],
        )
    }
}

/// `tproxy` to the port in the first register.
pub(super) struct TproxyToPort {
    /// `NFPROTO_*`.
    pub(super) family: u32,
}

impl Expression for TproxyToPort {
    fn to_expr(&self, _: &Rule<'_>) -> NonNull<sys::nftnl_expr> {
        expression(
            c"tproxy",
            &[
                (sys::NFTNL_EXPR_TPROXY_FAMILY, self.family),
                (sys::NFTNL_EXPR_TPROXY_REG_PORT, register(0)),
            ],
        )
    }
}

/// `lookup` of a key in the first register, in a set, or in a map that gives its value to
/// the same register.
pub(super) struct SetLookup<'a> {
    /// The set's name.
    pub(super) set: &'a CStr,
    /// Whether it is a map.
    pub(super) is_map: bool,
}

impl Expression for SetLookup<'_> {
    fn to_expr(&self, _: &Rule<'_>) -> NonNull<sys::nftnl_expr> {
        let registers = [
            (sys::NFTNL_EXPR_LOOKUP_SREG, register(0)),
            (sys::NFTNL_EXPR_LOOKUP_DREG, register(0)),
        ];
        let used = if self.is_map { &registers[..] } else { &registers[..1] };
        let lookup = expression(c"lookup", used);
        let attribute = narrow(sys::NFTNL_EXPR_LOOKUP_SET);
        // SAFETY: the expression lives, the attribute is a text, and libnftnl copies it.
        enough_memory(unsafe {
            sys::nftnl_expr_set_str(lookup.as_ptr(), attribute, self.set.as_ptr())
        });
        lookup
    }
}

/// An expression with numbers. The caller gives attributes of `name` that hold a u32.
fn expression(name: &CStr, numbers: &[(u32, u32)]) -> NonNull<sys::nftnl_expr> {
    // SAFETY: the name is a C string; the result is checked.
    let expression = allocated(unsafe { sys::nftnl_expr_alloc(name.as_ptr()) });
    for &(attribute, value) in numbers {
        // SAFETY: the expression lives, and the attribute holds a u32.
        unsafe { sys::nftnl_expr_set_u32(expression.as_ptr(), narrow(attribute), value) };
    }
    expression
}

/// The kernel's number of the register that starts at a word. `NFT_REG_1` and the like
/// where one starts there, as nft writes it.
#[allow(clippy::cast_sign_loss)]
fn register(word: u32) -> u32 {
    if word.is_multiple_of(4) {
        libc::NFT_REG_1 as u32 + word / 4
    } else {
        libc::NFT_REG32_00 as u32 + word
    }
}

/// User data as nft reads it back: type, length and value of each part.
struct UserData(NonNull<sys::nftnl_udata_buf>);

impl UserData {
    fn new() -> Self {
        // SAFETY: no preconditions; the result is checked. 256 is the kernel's bound
        // (`NFT_USERDATA_MAXLEN`).
        Self(allocated(unsafe { sys::nftnl_udata_buf_alloc(256) }))
    }

    fn put_number(&mut self, kind: u32, value: u32) {
        // SAFETY: the buffer lives; what does not fit is not put, and two numbers do.
        unsafe { sys::nftnl_udata_put_u32(self.0.as_ptr(), kind as u8, value) };
    }

    /// Puts a text and its NUL. A text that does not fit is left out; ours are the names
    /// of groups, of 63 bytes, and a digest of 16.
    fn put_text(&mut self, kind: u32, text: &str) {
        let bytes = [text.as_bytes(), &[0]].concat();
        let data = bytes.as_ptr().cast::<c_void>();
        // SAFETY: the buffer lives, and libnftnl copies so many bytes if they fit.
        unsafe { sys::nftnl_udata_put(self.0.as_ptr(), kind as u8, length(&bytes), data) };
    }

    fn as_bytes(&self) -> &[u8] {
        // SAFETY: the buffer lives as long as the slice borrows it, holds `len`
        // initialised bytes, and its data is never null.
        unsafe {
            let start = sys::nftnl_udata_buf_data(self.0.as_ptr()).cast::<u8>();
            std::slice::from_raw_parts(start, sys::nftnl_udata_buf_len(self.0.as_ptr()) as usize)
        }
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        // SAFETY: allocated in `new`, freed only here.
        unsafe { sys::nftnl_udata_buf_free(self.0.as_ptr()) };
    }
}

/// Asks the kernel to say in its refusals what it means and where
/// (`NETLINK_EXT_ACK`), and not to repeat what it refuses (`NETLINK_CAP_ACK`).
pub(super) fn ask_for_details(socket: impl AsFd) {
    const CAP_ACK: libc::c_int = 10;
    const EXT_ACK: libc::c_int = 11;
    for option in [CAP_ACK, EXT_ACK] {
        let on: libc::c_int = 1;
        // SAFETY: the descriptor is open while it is borrowed, and the value is an int,
        // of which the kernel reads as many bytes as it is told.
        let result = unsafe {
            libc::setsockopt(
                socket.as_fd().as_raw_fd(),
                libc::SOL_NETLINK,
                option,
                (&raw const on).cast::<c_void>(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        if result != 0 {
            tracing::debug!(option, "the kernel's refusals stay short");
        }
    }
}

/// Starts a message about the family inet.
///
/// # Safety
/// `buf` has room for `nft_nlmsg_maxsize()` bytes and is aligned for `struct nlmsghdr`.
unsafe fn put_header(buf: *mut c_void, kind: libc::c_int, sequence: u32) -> *mut libc::nlmsghdr {
    let (buf, family) = (buf.cast::<libc::c_char>(), u16::from(wire::INET));
    let kind = kind.cast_unsigned();
    // SAFETY: as the caller promises.
    unsafe { sys::nftnl_nlmsg_build_hdr(buf, kind as u16, family, 0, sequence) }
}

/// What libnftnl allocated; without memory for a few bytes there is nothing left to do.
fn allocated<T>(pointer: *mut T) -> NonNull<T> {
    NonNull::new(pointer).unwrap_or_else(|| std::process::abort())
}

/// As [`allocated`], where libnftnl copies: it fails only without memory.
fn enough_memory(result: libc::c_int) {
    if result < 0 {
        std::process::abort();
    }
}

/// libnftnl's attribute numbers are u32 constants, and its functions take u16.
fn narrow(attribute: u32) -> u16 {
    attribute as u16
}

fn length(bytes: &[u8]) -> u32 {
    bytes.len() as u32
}
