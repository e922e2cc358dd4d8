//! Request and response headers: which version goes with which API and version.
//!
//! Kafka: `RequestHeader.parse`, `ApiMessageType.requestHeaderVersion`, `ApiMessageType.responseHeaderVersion`.

use crate::{ApiKey, DecodeError, EncodeError, Message, Reader, RequestHeader, ResponseHeader, Writer};

impl ApiKey {
    /// Returns the version of the header before a request of `version`.
    pub fn request_header_version(self, version: i16) -> i16 {
        if version >= self.first_flexible_version() { 2 } else { 1 }
    }

    /// Returns the version of the header before a response of `version`.
    ///
    /// An ApiVersions response always has header version 0, since the client does not know yet what the server speaks.
    pub fn response_header_version(self, version: i16) -> i16 {
        (self != Self::ApiVersions && version >= self.first_flexible_version()).into()
    }
}

/// Reads a request's header. Fails for an API that does not exist, not for a version that does not.
pub fn decode_request_header(input: &mut Reader) -> Result<(ApiKey, RequestHeader), DecodeError> {
    let mut ahead = input.clone();
    let (id, version) = (ahead.get_i16()?, ahead.get_i16()?);
    let api = ApiKey::from_id(id).ok_or(DecodeError::UnknownType(id))?;
    Ok((api, RequestHeader::decode(input, api.request_header_version(version))?))
}

/// Writes the header of a request of `version`.
pub fn encode_request_header(
    out: &mut Writer,
    api: ApiKey,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> Result<(), EncodeError> {
    let header = RequestHeader {
        request_api_key: api.id(),
        request_api_version: version,
        correlation_id,
        client_id: client_id.map(str::to_owned),
        ..Default::default()
    };
    header.encode(out, api.request_header_version(version))
}

/// Writes the header of a response of `version`.
pub fn encode_response_header(
    out: &mut Writer,
    api: ApiKey,
    version: i16,
    correlation_id: i32,
) -> Result<(), EncodeError> {
    let header = ResponseHeader { correlation_id, ..Default::default() };
    header.encode(out, api.response_header_version(version))
}

/// Reads the header of a response of `version` and returns its correlation id.
pub fn decode_response_header(input: &mut Reader, api: ApiKey, version: i16) -> Result<i32, DecodeError> {
    Ok(ResponseHeader::decode(input, api.response_header_version(version))?.correlation_id)
}
