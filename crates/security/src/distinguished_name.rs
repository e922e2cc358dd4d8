//! The subject of a certificate as text, in the form of RFC 2253 that Java's `X500Principal.getName` gives.
//!
//! Reads only as much of the DER as leads to the subject; the certificate was verified before.

use std::fmt::Write;

use crate::der::{Der, EXPLICIT_0, Malformed, OBJECT_IDENTIFIER, SEQUENCE, SET};

/// The bytes are not a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The subject of the certificate cannot be read")]
pub struct CertificateError;

impl From<Malformed> for CertificateError {
    fn from(_: Malformed) -> Self {
        Self
    }
}

const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const UNIVERSAL_STRING: u8 = 0x1c;
const BMP_STRING: u8 = 0x1e;

/// Types with a keyword in RFC 2253, by the contents of their identifiers.
const KEYWORDS: [(&[u8], &str); 9] = [
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 9], "STREET"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
];

/// Returns the subject of a DER certificate: `CN=alice,OU=a,O=b,C=US`.
pub fn subject_name(certificate: &[u8]) -> Result<String, CertificateError> {
    let mut names = Vec::new();
    let mut subject = Der(issuer_and_subject(certificate)?.1);
    while !subject.0.is_empty() {
        names.push(relative_name(subject.expect(SET)?)?);
    }
    names.reverse();
    Ok(names.join(","))
}

/// Returns the contents of the names of who signed a certificate and whom it is about.
pub(crate) fn issuer_and_subject(certificate: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut body = Der(certificate).expect(SEQUENCE)?.expect(SEQUENCE)?;
    if body.0.first() == Some(&EXPLICIT_0) {
        body.next()?;
    }
    let (_serial, _algorithm) = (body.next()?, body.next()?);
    let issuer = body.expect(SEQUENCE)?;
    let _validity = body.next()?;
    Ok((issuer.0, body.expect(SEQUENCE)?.0))
}

fn relative_name(mut set: Der<'_>) -> Result<String, CertificateError> {
    let mut attributes = Vec::new();
    while !set.0.is_empty() {
        attributes.push(attribute(set.expect(SEQUENCE)?)?);
    }
    Ok(attributes.join("+"))
}

/// `type=value`, the value in hexadecimal if the type has no keyword or the value is no text.
fn attribute(mut attribute: Der<'_>) -> Result<String, CertificateError> {
    let identifier = attribute.expect(OBJECT_IDENTIFIER)?.0;
    let whole = attribute.0;
    let (tag, value) = attribute.next()?;
    let whole = &whole[..whole.len() - attribute.0.len()];
    let keyword = KEYWORDS.iter().find(|(known, _)| *known == identifier).map(|(_, keyword)| *keyword);
    match (keyword, decode(tag, value.0)) {
        (Some(keyword), Some(text)) => Ok(format!("{keyword}={}", escape(&text))),
        (Some(keyword), None) => Ok(format!("{keyword}=#{}", hex(whole))),
        (None, _) => Ok(format!("{}=#{}", dotted(identifier)?, hex(whole))),
    }
}

fn decode(tag: u8, value: &[u8]) -> Option<String> {
    match tag {
        UTF8_STRING | PRINTABLE_STRING | IA5_STRING => Some(String::from_utf8_lossy(value).into_owned()),
        TELETEX_STRING => Some(value.iter().map(|byte| char::from(*byte)).collect()),
        BMP_STRING => {
            let units: Vec<_> =
                value.chunks_exact(2).map(|unit| u16::from_be_bytes([unit[0], unit[1]])).collect();
            Some(String::from_utf16_lossy(&units))
        }
        UNIVERSAL_STRING => value
            .chunks_exact(4)
            .map(|unit| char::from_u32(u32::from_be_bytes([unit[0], unit[1], unit[2], unit[3]])))
            .collect(),
        _ => None,
    }
}

fn escape(text: &str) -> String {
    let inner = text.trim_matches(' ');
    let lead = text.len() - text.trim_start_matches(' ').len();
    let trail = if inner.is_empty() { 0 } else { text.len() - lead - inner.len() };
    let mut out = "\\ ".repeat(lead);
    for c in inner.chars() {
        match c {
            ',' | '=' | '+' | '<' | '>' | '#' | ';' | '"' | '\\' => out.extend(['\\', c]),
            '\0' => out.push_str("\\00"),
            _ => out.push(c),
        }
    }
    out + &"\\ ".repeat(trail)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn dotted(identifier: &[u8]) -> Result<String, CertificateError> {
    let mut arcs = Vec::new();
    let mut arc = 0u64;
    for byte in identifier {
        arc = arc.checked_mul(128).ok_or(CertificateError)? | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            arcs.push(std::mem::take(&mut arc));
        }
    }
    let first = arcs.first().copied().ok_or(CertificateError)?;
    let root = (first / 40).min(2);
    arcs[0] = first - root * 40;
    arcs.insert(0, root);
    Ok(arcs.iter().map(u64::to_string).collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    use super::*;

    fn certificate(names: &[(DnType, &str)]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (name_type, value) in names {
            params.distinguished_name.push(name_type.clone(), *value);
        }
        let key = KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("a certificate").der().to_vec()
    }

    #[test]
    fn a_subject_is_written_from_its_end() {
        let der = certificate(&[
            (DnType::CountryName, "US"),
            (DnType::OrganizationName, "Sun, Inc. #1"),
            (DnType::OrganizationalUnitName, " a=b "),
            (DnType::CommonName, "Dükë"),
        ]);
        assert_eq!(subject_name(&der), Ok(r"CN=Dükë,OU=\ a\=b\ ,O=Sun\, Inc. \#1,C=US".to_owned()));
    }

    #[test]
    fn types_without_a_keyword_are_in_hexadecimal() {
        let der = certificate(&[(DnType::CustomDnType(vec![2, 5, 4, 5]), "12"), (DnType::CommonName, "a")]);
        assert_eq!(subject_name(&der), Ok("CN=a,2.5.4.5=#0c023132".to_owned()));
    }

    proptest! {
        #[test]
        fn mutated_certificates_never_panic(at: proptest::sample::Index, byte: u8, cut: proptest::sample::Index) {
            let mut der = certificate(&[(DnType::CommonName, "a")]);
            let at = at.index(der.len());
            der[at] = byte;
            der.truncate(cut.index(der.len()).max(1));
            let _ = subject_name(&der);
        }
    }
}
