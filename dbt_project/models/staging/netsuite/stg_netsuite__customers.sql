with billing_addresses as (
    select
        book.connection,
        book.entity,
        address.addr1,
        address.city,
        address.state,
        address.zip,
        address.country,
        row_number()
            over (partition by book.connection, book.entity order by length(book.internalid), book.internalid)
            as choice
    from {{ ref('base_netsuite__customeraddressbook') }} as book
    inner join {{ ref('base_netsuite__entityaddress') }} as address
        on book.connection = address.connection and book.addressbookaddress = address.record_key
    where book.defaultbilling
),

customers as (
    select
        customer.connection,
        customer.id as customer_id,
        customer.parent as parent_customer_id,
        coalesce(
            customer.companyname,
            customer.altname,
            nullif(trim(coalesce(customer.firstname, '') || ' ' || coalesce(customer.lastname, '')), ''),
            customer.entityid
        )
            as name,
        customer.companyname as legal_name,
        customer.tax_id,
        coalesce({{ web_domain('customer.url') }}, {{ mail_domain('customer.email') }}) as domain,
        customer.email,
        customer.phone,
        address.addr1 as street,
        address.city,
        address.state as region,
        address.zip as postal_code,
        {{ country_code('address.country', 'countries.country_code') }} as country_code,
        nullif(trim(customer.externalid), '') as external_customer_id,
        coalesce(customer.isperson, false) as is_person,
        false as is_intercompany,
        not coalesce(customer.isinactive, false) as is_active,
        customer.modified_at
    from {{ ref('base_netsuite__customer') }} as customer
    left join billing_addresses as address
        on customer.connection = address.connection and customer.record_key = address.entity and address.choice = 1
    left join {{ ref('iso_countries') }} as countries on lower(address.country) = countries.country_name
)

{{ select_contract('customers', 'customers') }}
