//! Attributes of netlink: kind, length, value (netlink(7)). Of what is read, what is cut
//! short is left out: a message of which only a part is understood still tells that part.

use netlink_packet_core::NlasIterator;

/// The attributes of one object, by their kinds.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The attributes behind a header of `length` bytes.
    pub fn behind(payload: &'a [u8], length: usize) -> Self {
        Self(payload.get(length..).unwrap_or_default())
    }

    /// Each attribute, in their order.
    pub fn iter(self) -> impl Iterator<Item = (u16, &'a [u8])> {
        NlasIterator::new(self.0).map_while(Result::ok).filter_map(|attribute| {
            let kind = attribute.kind();
            let whole = attribute.into_inner();
            let length = usize::from(u16::from_ne_bytes(*whole.first_chunk()?));
            Some((kind, whole.get(4..length)?))
        })
    }

    /// The value of `kind`.
    pub fn get(self, kind: u16) -> Option<&'a [u8]> {
        self.iter().find(|(found, _)| *found == kind).map(|(_, value)| value)
    }

    /// The attributes within `kind`; none where there is no such attribute.
    pub fn nested(self, kind: u16) -> Self {
        Self(self.get(kind).unwrap_or_default())
    }

    /// A number in network order, as netfilter writes them.
    pub fn network(self, kind: u16) -> Option<u32> {
        self.get(kind)?.first_chunk().copied().map(u32::from_be_bytes)
    }

    /// A number of this machine's order, as routing and IPVS write them.
    pub fn native(self, kind: u16) -> Option<u32> {
        self.get(kind)?.first_chunk().copied().map(u32::from_ne_bytes)
    }

    /// A name as the kernel writes it, up to its NUL; what is no UTF-8 is replaced.
    pub fn name(self, kind: u16) -> Option<String> {
        let bytes = self.get(kind)?.split(|&byte| byte == 0).next()?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    /// A text, up to its NUL.
    pub fn text(self, kind: u16) -> Option<&'a str> {
        let bytes = self.get(kind)?.split(|&byte| byte == 0).next()?;
        std::str::from_utf8(bytes).ok()
    }
}

/// Writes an attribute; values are names and addresses, and what nests a few of them, so
/// that the length fits.
pub fn put(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_ne_bytes());
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_short_is_left_out() {
        let mut bytes = Vec::new();
        put(&mut bytes, 3, b"front\0");
        put(&mut bytes, 4, &7_u32.to_be_bytes());
        let fields = Fields::behind(&bytes, 0);
        assert_eq!(
            (fields.text(3), fields.network(4), fields.get(5)),
            (Some("front"), Some(7), None)
        );
        for length in 0..bytes.len() {
            let cut = Fields::behind(&bytes[..length], 0);
            assert!(cut.network(4).is_none(), "{length}");
        }
        assert!(Fields::behind(&bytes, 99).iter().next().is_none());
    }
}
