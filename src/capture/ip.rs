//! IP packets: their extension headers, and whether they are whole.

use etherparse::{Ipv6ExtensionSlice, Ipv6ExtensionsSlice, LaxIpSlice, LaxIpv4Slice, LaxIpv6Slice};

use super::layers::{Fragment, Identity, Layer, Payload, Rest};
use super::segment::Skipped;

/// The fixed part of an IPv6 header.
const IPV6_HEADER: usize = 40;

/// What an IP packet carries. A card that segments by itself (TSO) may leave the length to be filled in: then it is 0, and
/// the packet reaches as far as what it lies in.
pub(super) fn packet(rest: Rest<'_>) -> Result<Layer<'_>, Skipped> {
    let (ip, _) = LaxIpSlice::from_slice(rest.bytes).map_err(|_| Skipped::Damaged)?;
    match &ip {
        LaxIpSlice::Ipv4(ip) => v4(ip, rest),
        LaxIpSlice::Ipv6(ip) => v6(ip, rest),
    }
}

fn v4<'a>(ip: &LaxIpv4Slice<'a>, rest: Rest<'a>) -> Result<Layer<'a>, Skipped> {
    let header = ip.header();
    let header_len = header.slice().len();
    let extensions = ip.extensions().auth.map_or(0, |auth| auth.slice().len());
    let total = usize::from(header.total_len());
    if total > 0 && total < header_len + extensions {
        return Err(Skipped::Damaged);
    }
    let whole = if total > 0 { rest.limit(total) } else { rest };
    let (src, dst) = (header.source_addr().into(), header.destination_addr().into());
    if header.is_fragmenting_payload() {
        let number = header.protocol();
        return Ok(Layer::Fragment(Fragment {
            of: Identity { src, dst, number: Some(number), id: header.identification().into() },
            number,
            start: header.fragments_offset().byte_offset().into(),
            more: header.more_fragments(),
            rest: whole.skip(header_len)?,
        }));
    }
    let rest = whole.skip(header_len + extensions)?;
    Ok(Layer::Payload(Payload { src, dst, number: ip.payload_ip_number(), rest }))
}

fn v6<'a>(ip: &LaxIpv6Slice<'a>, rest: Rest<'a>) -> Result<Layer<'a>, Skipped> {
    let header = ip.header();
    let total = usize::from(header.payload_length());
    let behind = rest.skip(IPV6_HEADER)?;
    let behind = if total > 0 { behind.limit(total) } else { behind };
    let (src, dst) = (header.source_addr().into(), header.destination_addr().into());
    let extensions = ip.extensions();
    if extensions.is_fragmenting_payload() {
        // what follows the fragment's header are headers in the first fragment, and in another one anything
        let mut before = 0;
        for extension in extensions.clone() {
            let fragment = match extension {
                Ipv6ExtensionSlice::Fragment(fragment) if fragment.is_fragmenting_payload() => fragment,
                other => {
                    before += extension_len(&other);
                    continue;
                }
            };
            return Ok(Layer::Fragment(Fragment {
                of: Identity { src, dst, number: None, id: fragment.identification() },
                number: fragment.next_header(),
                start: fragment.fragment_offset().byte_offset().into(),
                more: fragment.more_fragments(),
                rest: behind.skip(before + fragment.slice().len())?,
            }));
        }
        return Err(Skipped::Damaged);
    }
    let rest = behind.skip(extensions.slice().len())?;
    Ok(Layer::Payload(Payload { src, dst, number: ip.payload().ip_number, rest }))
}

fn extension_len(extension: &Ipv6ExtensionSlice<'_>) -> usize {
    match extension {
        Ipv6ExtensionSlice::HopByHop(header)
        | Ipv6ExtensionSlice::Routing(header)
        | Ipv6ExtensionSlice::DestinationOptions(header) => header.slice().len(),
        Ipv6ExtensionSlice::Fragment(header) => header.slice().len(),
        Ipv6ExtensionSlice::Authentication(header) => header.slice().len(),
    }
}

/// What is behind extension headers that were in fragments.
pub(super) fn extensions(payload: Payload<'_>) -> Result<Layer<'_>, Skipped> {
    let (extensions, number, bytes, _) = Ipv6ExtensionsSlice::from_slice_lax(payload.number, payload.rest.bytes);
    // headers that are cut off, or a fragment of a fragment
    if extensions.is_empty() || extensions.is_fragmenting_payload() {
        return Err(Skipped::Damaged);
    }
    Ok(Layer::Payload(Payload { number, rest: Rest { bytes, ..payload.rest }, ..payload }))
}
