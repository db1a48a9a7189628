//! What a WebAssembly file is made of.

/// The names of a module's custom sections, or `None` if it is malformed.
pub fn custom_sections(module: &[u8]) -> Option<Vec<String>> {
    let mut rest = module.strip_prefix(b"\0asm\x01\0\0\0")?;
    let mut names = Vec::new();
    while let Some((&id, after)) = rest.split_first() {
        rest = after;
        let mut body = take(&mut rest)?;
        if id == 0 {
            names.push(String::from_utf8_lossy(take(&mut body)?).into_owned());
        }
    }
    Some(names)
}

/// Takes a vector of bytes off the front: its length in LEB128, then itself.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut length = 0;
    for shift in (0..32).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let (taken, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            return Some(taken);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_custom_sections_only() {
        let module = b"\0asm\x01\0\0\0\x01\x01\0\0\x06\x04nameX\0\x81\x00\0";
        assert_eq!(custom_sections(module), Some(vec!["name".to_owned(), String::new()]));
    }

    #[test]
    fn refuses_what_is_cut_off() {
        assert_eq!(custom_sections(b"\0asm\x01\0\0\0\0\x06\x04na"), None);
        assert_eq!(custom_sections(b"\0asm"), None);
    }
}
