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

/// The module with a section `target_features` that names these, in place of its own: it is what
/// other tools believe that the module's host can do.
pub fn with_target_features(module: &[u8], features: &[&str]) -> Option<Vec<u8>> {
    const NAME: &str = "target_features";
    let header = b"\0asm\x01\0\0\0";
    let mut rest = module.strip_prefix(header)?;
    let mut written = header.to_vec();
    while let Some((&id, after)) = rest.split_first() {
        let section = rest;
        rest = after;
        let mut body = take(&mut rest)?;
        if id != 0 || take(&mut body)? != NAME.as_bytes() {
            written.extend(&section[..section.len() - rest.len()]);
        }
    }
    let mut body = vector(NAME.as_bytes());
    body.push(u8::try_from(features.len()).ok()?);
    for feature in features {
        body.push(b'+');
        body.extend(vector(feature.as_bytes()));
    }
    written.push(0);
    written.extend(vector(&body));
    Some(written)
}

/// Its length in LEB128, then itself.
fn vector(bytes: &[u8]) -> Vec<u8> {
    let (mut written, mut length) = (Vec::new(), bytes.len());
    while length >= 0x80 {
        written.push(length as u8 | 0x80);
        length >>= 7;
    }
    written.push(length as u8);
    written.extend(bytes);
    written
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
    fn replaces_target_features() {
        let module = b"\0asm\x01\0\0\0\x01\x01\0\0\x13\x0ftarget_features\x01+\0\0\x02\x01a";
        let replaced =
            b"\0asm\x01\0\0\0\x01\x01\0\0\x02\x01a\0\x17\x0ftarget_features\x02+\x01b+\x01c";
        assert_eq!(with_target_features(module, &["b", "c"]).as_deref(), Some(&replaced[..]));
        assert_eq!(with_target_features(&module[..20], &[]), None);
    }

    #[test]
    fn vectors_begin_with_their_length() {
        let long = vector(&[7; 300]);
        assert_eq!(long[..2], [0xac, 2]);
        assert_eq!(take(&mut &long[..]), Some(&[7; 300][..]));
    }

    #[test]
    fn refuses_what_is_cut_off() {
        assert_eq!(custom_sections(b"\0asm\x01\0\0\0\0\x06\x04na"), None);
        assert_eq!(custom_sections(b"\0asm"), None);
    }
}
